using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using LlmMarketplace.Consumption.CallLogs;
using LlmMarketplace.Consumption.ResponseCache;
using LlmMarketplace.Consumption.Tests.Invoking;
using LlmMarketplace.Consumption.Tests.Surfaces;
using LlmMarketplace.Publishing.Contracts;
using LlmMarketplace.Servers;
using Microsoft.Extensions.DependencyInjection;
using Xunit;

namespace LlmMarketplace.Consumption.Tests.CallLogs;

/// <summary>What stands in the log of calls that did not simply bring an answer of their provider.</summary>
public sealed class LoggedOutcomesTests(Marketplace marketplace)
{
    [Fact]
    public async Task A_cut_stream_is_logged_with_what_was_sent_and_the_error_event()
    {
        var (script, arrived) = SurfaceMarket.CutAfter(ProviderScripts.Chunk("I am an") + ProviderScripts.Chunk("na@mail.example and"));
        using var shop = await marketplace.LoggingAsync(script, new { });
        using var cut = await shop.StreamAsync();
        arrived.SetResult();
        Assert.Contains("provider_error", await cut.Content.ReadAsStringAsync(), StringComparison.Ordinal);

        var log = await shop.LogAsync(cut);

        Assert.Equal(("cut", 200), log.Ended());
        var kept = JsonElement.Parse(log.GetProperty("answer").Text("body")!)[0];
        Assert.Equal("I am [redacted:email] and", kept.GetProperty("choices")[0].GetProperty("delta").Text("content"));
        Assert.Equal("provider_error", kept.GetProperty("error").Text("code"));
    }

    [Fact]
    public async Task A_caller_who_left_is_logged_with_what_was_sent_until_then()
    {
        using var shop = await marketplace.LoggingAsync(async call =>
        {
            await ProviderScripts.BeginStreamAsync(call);
            await ProviderScripts.SendAsync(call, ProviderScripts.Chunk("half"));
            await call.Left;
        }, new { });
        Guid id;
        using (var left = await shop.StreamAsync())
        {
            await (await left.Content.ReadAsStreamAsync()).ReadExactlyAsync(new byte[1]);
            id = left.RequestId();
        }

        var log = await shop.Member.LogAsync(id);

        Assert.Equal(("abandoned", 0), log.Ended());
        Assert.Contains("\"content\":\"half\"", log.GetProperty("answer").Text("body"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_answer_from_the_cache_is_logged_as_its_caller_got_it()
    {
        using var shop = await marketplace.LoggingAsync(ProviderScripts.Chat("hi", 1, 1), new { });
        await shop.Member.Client.PutAsJsonAsync("/api/v1/response-cache", new { timeToLiveSeconds = 60 });
        await Until.TrueAsync(() => marketplace.Service.App.Services.GetRequiredService<OptedIn<CachePolicy>>().Of(shop.Member.Id) is not null);
        using var miss = await shop.ChatAsync();
        HttpResponseMessage hit = miss;
        await Until.TrueAsync(async () => (hit = await shop.ChatAsync()).Header(ServeCached.Header) == "hit");

        var (asked, found) = (await shop.LogAsync(miss), await shop.LogAsync(hit));

        Assert.Equal(("completed", 200), found.Ended());
        Assert.Equal(asked.GetProperty("answer").Text("body"), found.GetProperty("answer").Text("body"));
        Assert.Equal(asked.GetProperty("request").Text("body"), found.GetProperty("request").Text("body"));
    }

    [Fact]
    public async Task A_fallback_and_the_call_that_failed_before_it_have_a_log_each()
    {
        using var shop = await marketplace.LoggingAsync(ProviderScripts.Fail(503), new { });
        using var other = await Shop.OpenAsync(marketplace, ProviderScripts.Chat("instead", 1, 1));

        using var answer = await shop.ChatAsync($"{Shop.Hello},\"models\":[\"{other.Model}\"]");

        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        var (failed, instead) = (await shop.Member.LogAsync(Guid.Parse(answer.Header("x-marketplace-fallback-from")!)), await shop.LogAsync(answer));
        Assert.Equal(("failed", 503), failed.Ended());
        Assert.Equal((shop.Model, other.Model), (failed.GetProperty("call").Text("service"), instead.GetProperty("call").Text("service")));
        Assert.Equal("provider_unavailable", JsonElement.Parse(failed.GetProperty("answer").Text("body")!).GetProperty("error").Text("code"));
        Assert.Contains("instead", instead.GetProperty("answer").Text("body"), StringComparison.Ordinal);
        Assert.DoesNotContain("provider_unavailable", instead.GetProperty("answer").Text("body"), StringComparison.Ordinal);
        Assert.NotEqual(JsonValueKind.Null, instead.GetProperty("request").ValueKind);
    }

    [Fact]
    public async Task What_the_marketplace_says_itself_when_a_provider_fails_or_is_silent_is_logged()
    {
        using var shop = await Shop.OpenAsync(marketplace, ProviderScripts.Cut, timeoutMs: 300);
        await marketplace.SwitchOnAsync(shop.Member, new { });
        using var broken = await shop.ChatAsync();
        shop.Answer(call => call.Left);
        using var silent = await shop.ChatAsync();

        Assert.Equal((502, 504), ((int)broken.StatusCode, (int)silent.StatusCode));
        foreach (var answer in new[] { broken, silent })
        {
            var log = await shop.LogAsync(answer);
            Assert.Equal(("failed", (int)answer.StatusCode), log.Ended());
            Assert.Equal((await answer.Content.ReadAsStringAsync(), "application/json"), (log.GetProperty("answer").Text("body"), log.GetProperty("answer").Text("contentType")));
        }
    }

    [Fact]
    public async Task Invocations_are_logged_answered_refused_and_failed()
    {
        const string Call = """{"operationId":"translate","parameters":{"language":"de"},"body":{"text":"anna@mail.example"}}""";
        using var shop = await RestShop.OpenAsync(marketplace, ProviderScripts.OneByOne(
            ProviderScripts.Json(201, """{"text":"from bob@mail.example"}"""), ProviderScripts.Json(422, """{"why":"not this one"}"""), ProviderScripts.Fail(500)));
        await marketplace.SwitchOnAsync(shop.Member, new { });

        using var answered = await shop.InvokeAsync(Call);
        using var refused = await shop.InvokeAsync(Call);
        using var failed = await shop.InvokeAsync(Call);

        var log = await shop.LogAsync(answered);
        Assert.Equal(("completed", 201), log.Ended());
        Assert.Equal(("invoke", shop.Model), (log.GetProperty("call").Text("operation"), log.GetProperty("call").Text("service")));
        Assert.Equal((Call.Replace("anna@mail.example", "[redacted:email]", StringComparison.Ordinal), """{"text":"from [redacted:email]"}"""), (log.GetProperty("request").Text("body"), log.GetProperty("answer").Text("body")));
        log = await shop.LogAsync(refused);
        Assert.Equal((("refused-by-provider", 422), """{"why":"not this one"}"""), (log.Ended(), log.GetProperty("answer").Text("body")));
        log = await shop.LogAsync(failed);
        Assert.Equal((("failed", 502), "application/problem+json"), (log.Ended(), log.GetProperty("answer").Text("contentType")));
        Assert.Equal("provider_error", JsonElement.Parse(log.GetProperty("answer").Text("body")!).Text("code"));
    }

    [Fact]
    public async Task A_translated_call_is_logged_in_its_callers_protocol_streamed_too()
    {
        var service = await marketplace.AddServiceAsync(
            ProviderScripts.OneByOne(ProviderScripts.Chat("from anna@mail.example", 3, 2), ProviderScripts.Stream(["from an", "na@mail.example"], 3, 2)), Prices.PerMillionTokens(1m, 1m), EndpointProtocol.OpenAi);
        var member = await marketplace.AddOrganisationAsync();
        using var client = (await member.CreateKeyAsync()).Client();
        await marketplace.SwitchOnAsync(member, new { });
        var asked = $$"""{"model":"acme/{{service.Name}}","max_tokens":50,"messages":[{"role":"user","content":"bob@mail.example"}]""";

        using var whole = await client.PostJsonAsync("/v1/messages", asked + "}");
        using var stream = await client.PostJsonAsync("/v1/messages", asked + ",\"stream\":true}");

        var log = await member.LogAsync(whole.RequestId());
        Assert.Equal((asked + "}").Replace("bob@mail.example", "[redacted:email]", StringComparison.Ordinal), log.GetProperty("request").Text("body"));
        Assert.Equal("from [redacted:email]", JsonElement.Parse(log.GetProperty("answer").Text("body")!).GetProperty("content")[0].Text("text"));
        log = await member.LogAsync(stream.RequestId());
        var delta = JsonElement.Parse(log.GetProperty("answer").Text("body")!).EnumerateArray().Single(one => one.Text("type") == "content_block_delta");
        Assert.Equal("from [redacted:email]", delta.GetProperty("delta").Text("text"));
    }

    [Fact]
    public async Task Of_a_share_those_calls_are_logged_that_their_ids_draw()
    {
        using var shop = await marketplace.LoggingAsync(ProviderScripts.Chat("hi", 1, 1), new { share = 0.5 });
        var calls = new List<Guid>();
        while (calls.Count < 100 && (calls.Count(id => KeepCallLogs.IsDrawn(0.5, id)) < 3 || calls.All(id => KeepCallLogs.IsDrawn(0.5, id))))
        {
            using var answer = await shop.ChatAsync(isShipped: false);
            calls.Add(answer.RequestId());
        }

        Guid[] drawn = [.. calls.Where(id => KeepCallLogs.IsDrawn(0.5, id))];
        await Until.TrueAsync(async () => (await shop.Member.LoggedAsync()).Length >= drawn.Length);

        Assert.Equal(drawn.Order(), (await shop.Member.LoggedAsync()).Order());
    }

    [Fact]
    public void A_share_is_drawn_by_chance()
    {
        Guid[] ids = [.. Enumerable.Range(0, 10_000).Select(_ => Guid.CreateVersion7())];

        Assert.All(ids, id => Assert.True(KeepCallLogs.IsDrawn(1, id) && !KeepCallLogs.IsDrawn(0, id)));
        Assert.InRange(ids.Count(id => KeepCallLogs.IsDrawn(0.25, id)), 2_200, 2_800); // Outside by chance once in a billion.
        Assert.All(ids.Where(id => KeepCallLogs.IsDrawn(0.25, id)), id => Assert.True(KeepCallLogs.IsDrawn(0.5, id)));
    }
}
