using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using LlmMarketplace.Consumption.Calls;
using LlmMarketplace.Consumption.Idempotency;
using LlmMarketplace.Consumption.ResponseCache;
using LlmMarketplace.Consumption.Tests.Surfaces;
using LlmMarketplace.Identity.Contracts;
using LlmMarketplace.Publishing.Contracts;
using LlmMarketplace.Servers;
using Microsoft.Extensions.DependencyInjection;
using Xunit;

namespace LlmMarketplace.Consumption.Tests.ResponseCache;

/// <summary>Calls of organisations that have switched their response cache on.</summary>
public sealed class ResponseCacheTests(Marketplace marketplace)
{
    private const string Path = "/api/v1/response-cache";

    [Fact]
    public async Task The_same_call_is_answered_from_the_cache_recorded_and_not_charged()
    {
        using var shop = await CachingAsync(ProviderScripts.OneByOne(ProviderScripts.Chat("first", 5, 2), ProviderScripts.Chat("second", 5, 2)));
        await shop.Member.SetBudgetAsync(0.01m);

        using var first = await shop.ChatAsync();
        await KeptAsync(shop);
        using var hit = await shop.ChatAsync();

        Assert.Equal((HttpStatusCode.OK, "miss"), (first.StatusCode, first.Header(ServeCached.Header)));
        Assert.Equal((HttpStatusCode.OK, "hit"), (hit.StatusCode, hit.Header(ServeCached.Header)));
        Assert.Equal(await first.Content.ReadAsStringAsync(), await hit.Content.ReadAsStringAsync());
        Assert.Equal(first.Content.Headers.ContentType, hit.Content.Headers.ContentType);
        Assert.InRange(hit.Headers.Age!.Value, TimeSpan.Zero, TimeSpan.FromMinutes(5));
        Assert.NotEqual(first.RequestId(), hit.RequestId());
        Assert.Single(shop.Seen);
        var record = await shop.RecordAsync(hit);
        Assert.Equal(("completed", 200, true), (record.Text("outcome"), record.GetProperty("statusCode").GetInt32(), record.GetProperty("fromCache").GetBoolean()));
        Assert.Equal((0, 0, 0m, 0), (record.GetProperty("inputTokens").GetInt64(), record.GetProperty("outputTokens").GetInt64(), record.GetProperty("cost").GetDecimal(), record.GetProperty("attempts").GetArrayLength()));
        Assert.False((await shop.RecordAsync(first)).GetProperty("fromCache").GetBoolean());
        Assert.True((await (await shop.Client.GetAsync($"/v1/generations/{hit.RequestId()}")).JsonAsync()).GetProperty("from_cache").GetBoolean());
        Assert.Equal((2, 0.01m), await shop.TotalAsync()); // The budget was used up, and a hit costs nothing.
    }

    [Fact]
    public async Task A_stream_is_replayed_as_a_stream_by_another_instance_too()
    {
        await using var other = await marketplace.StartInstanceAsync();
        using var shop = await CachingAsync(ProviderScripts.Stream(["Hel", "lo ✓"], 5, 2));
        using var there = shop.Key.Client(other);
        await Until.TrueAsync(() => other.App.Services.GetRequiredService<OptedIn<CachePolicy>>().Of(shop.Member.Id) is not null);

        using var first = await shop.StreamAsync();
        var text = await first.Content.ReadAsStringAsync();
        await KeptAsync(shop);
        using var hit = await Json.UntilReadyAsync(() => shop.StreamAsync(client: there));
        using var whole = await shop.ChatAsync();

        Assert.Equal(ProviderScripts.Chunk("Hel") + ProviderScripts.Chunk("lo ✓") + "data: [DONE]\n\n", text);
        Assert.Equal(("hit", text, "text/event-stream"), (hit.Header(ServeCached.Header), await hit.Content.ReadAsStringAsync(), hit.Content.Headers.ContentType?.MediaType));
        Assert.Equal("miss", whole.Header(ServeCached.Header));
        Assert.True((await shop.RecordAsync(hit)).GetProperty("streamed").GetBoolean());
    }

    [Fact]
    public async Task Embeddings_are_cached_and_no_other_organisation_is_served_what_one_was_answered()
    {
        using var shop = await CachingAsync(ProviderScripts.Embedding(3), "embeddings");
        var stranger = await marketplace.AddOrganisationAsync();
        using var strange = (await stranger.CreateKeyAsync()).Client();
        await SwitchOnAsync(stranger, new { });

        using var first = await shop.EmbedAsync();
        await KeptAsync(shop);
        using var hit = await shop.EmbedAsync();
        using var theirs = await strange.PostJsonAsync("/v1/embeddings", shop.Body("\"input\":\"hello\""));

        Assert.Equal(("miss", "hit", "miss"), (first.Header(ServeCached.Header), hit.Header(ServeCached.Header), theirs.Header(ServeCached.Header)));
        Assert.Equal(2, shop.Seen.Count);
    }

    [Theory]
    [InlineData(",\"temperature\":0.5", null, null)]
    [InlineData(",\"user\":\"other\"", null, null)]
    [InlineData(",\"max_tokens\":7", null, null)]
    [InlineData("", "anthropic-beta", "some-beta")]
    public async Task What_changes_the_answer_is_another_answer(string members, string? header, string? value)
    {
        using var shop = await CachingAsync(ProviderScripts.Chat("hi", 1, 1));
        using var first = await shop.ChatAsync();
        await KeptAsync(shop);

        using var other = await CallAsync(shop, Shop.Hello + members, header, value);

        Assert.Equal("miss", other.Header(ServeCached.Header));
        Assert.Equal(2, shop.Seen.Count);
    }

    [Fact]
    public async Task A_new_version_is_asked_anew_and_what_may_not_be_called_any_more_is_not_served()
    {
        using var shop = await CachingAsync(ProviderScripts.Chat("hi", 1, 1));
        using var first = await shop.ChatAsync();
        await KeptAsync(shop);
        var version = shop.Listing.Versions[0];
        var open = version.Specification with { Endpoint = version.Specification.Endpoint with { Authentication = EndpointAuthentication.None } }; // A secret belongs to its version.
        await marketplace.TellAsync(shop.Listing with { Versions = [version with { VersionId = Guid.CreateVersion7(), Version = "1.1.0", Specification = open, Secret = null }, version] });

        using var newer = await shop.ChatAsync();
        using var older = await shop.Client.PostJsonAsync("/v1/chat/completions", shop.Body().Replace(shop.Model, $"{shop.Model}@1.0.0", StringComparison.Ordinal));
        await marketplace.TellAsync(shop.Listing with { Suspended = true });
        using var suspended = await shop.ChatAsync();

        Assert.Equal(("miss", $"{shop.Model}@1.1.0"), (newer.Header(ServeCached.Header), newer.Header("x-marketplace-model")));
        Assert.Equal(("hit", $"{shop.Model}@1.0.0"), (older.Header(ServeCached.Header), older.Header("x-marketplace-model")));
        Assert.Equal("service_suspended", await suspended.ErrorCodeAsync());
    }

    [Fact]
    public async Task A_call_says_by_cache_control_whether_it_takes_and_keeps()
    {
        using var shop = await CachingAsync(ProviderScripts.OneByOne([.. Enumerable.Range(1, 6).Select(i => ProviderScripts.Chat($"answer {i}", 1, 1))]));

        using var notKept = await CallAsync(shop, Shop.Hello, "cache-control", "no-store");
        using var unreadable = await CallAsync(shop, Shop.Hello, "cache-control", "max-age=soon");
        Assert.Equal(("bypass", "bypass"), (notKept.Header(ServeCached.Header), unreadable.Header(ServeCached.Header)));
        using var first = await shop.ChatAsync();
        Assert.Equal("miss", first.Header(ServeCached.Header));
        await KeptAsync(shop);
        using var anew = await CallAsync(shop, Shop.Hello, "cache-control", "no-cache");
        Assert.Equal("bypass", anew.Header(ServeCached.Header));
        await Until.TrueAsync(async () => (await (await shop.ChatAsync()).Content.ReadAsStringAsync()).Contains("answer 4", StringComparison.Ordinal)); // What no-cache brought is kept.
        using var young = await CallAsync(shop, Shop.Hello, "cache-control", "max-age=600");
        await AgeAsync(shop, TimeSpan.FromMinutes(11));
        using var old = await CallAsync(shop, Shop.Hello, "cache-control", "max-age=600");

        Assert.Equal(("hit", "miss"), (young.Header(ServeCached.Header), old.Header(ServeCached.Header)));
        Assert.Equal(5, shop.Seen.Count);
    }

    [Fact]
    public async Task Failures_and_cut_streams_are_not_kept()
    {
        using var shop = await CachingAsync(ProviderScripts.Fail(422));
        using var refused = await shop.ChatAsync();
        shop.Answer(SurfaceMarket.CutAfter(ProviderScripts.Chunk("half")) is var (script, arrived) ? script : null!);
        using (var cut = await shop.StreamAsync())
        {
            arrived.SetResult();
            Assert.Contains("provider_error", await cut.Content.ReadAsStringAsync(), StringComparison.Ordinal);
        }

        shop.Answer(ProviderScripts.Stream(["whole"], 1, 1));
        using var next = await shop.StreamAsync();
        await next.Content.LoadIntoBufferAsync();
        await KeptAsync(shop); // What came before would have been written before it, and it is the only one.

        Assert.Equal((422, "miss"), ((int)refused.StatusCode, next.Header(ServeCached.Header)));
    }

    [Fact]
    public async Task Only_named_services_are_cached()
    {
        using var shop = await Shop.OpenAsync(marketplace, ProviderScripts.Chat("hi", 1, 1));
        using var named = await Shop.OpenAsync(marketplace, ProviderScripts.Chat("hi", 1, 1));
        await SwitchOnAsync(shop.Member, new { timeToLiveSeconds = 60, services = new[] { named.Model } });

        using var other = await shop.ChatAsync();
        using var cached = await shop.Client.PostJsonAsync("/v1/chat/completions", named.Body());

        Assert.Equal(("bypass", "miss"), (other.Header(ServeCached.Header), cached.Header(ServeCached.Header)));
    }

    [Theory]
    [InlineData("chat.completions", true, false, true)]
    [InlineData("chat.completions", true, true, false)]
    [InlineData("responses", true, false, false)]
    [InlineData("responses", false, false, true)]
    [InlineData("images.generations", false, false, false)]
    [InlineData("audio.speech", false, false, false)]
    public void What_is_stored_reaches_the_web_or_is_a_picture_or_sound_is_not_cached(string surface, bool store, bool searches, bool isCacheable)
    {
        var request = new CallRequest { Model = "acme/x", ModelValue = default, Store = store, SearchesWeb = searches };

        Assert.Equal(isCacheable, CacheUse.IsCacheable(Surface.All.Single(one => one.Name == surface), request));
    }

    [Fact]
    public async Task A_hit_keeps_its_idempotency_key()
    {
        using var shop = await CachingAsync(ProviderScripts.Chat("hi", 1, 1));
        using var first = await shop.ChatAsync();
        await KeptAsync(shop);

        using var hit = await CallAsync(shop, Shop.Hello, ReadClaim.Header, "k");
        using var repeat = await CallAsync(shop, Shop.Hello, ReadClaim.Header, "k");

        Assert.Equal(("hit", "true"), (hit.Header(ServeCached.Header), repeat.Header(ReplayAnswer.Header)));
        Assert.Equal((hit.RequestId(), null), (repeat.RequestId(), repeat.Header(ServeCached.Header)));
        Assert.Equal(await hit.Content.ReadAsStringAsync(), await repeat.Content.ReadAsStringAsync());
        Assert.Equal(2, (await shop.TotalAsync()).Calls);
    }

    [Fact]
    public async Task What_cannot_be_read_any_more_is_a_miss_and_what_is_kept_is_encrypted()
    {
        using var shop = await CachingAsync(ProviderScripts.Chat("a secret of the caller", 1, 1));
        using var first = await shop.ChatAsync();
        await KeptAsync(shop);
        Assert.DoesNotContain("secret", await QueryAsync<string>("SELECT (c.*)::text FROM cached_answers c WHERE organisation_id = $1", shop), StringComparison.Ordinal);

        await QueryAsync<object>("UPDATE cached_answers SET call_id = gen_random_uuid() WHERE organisation_id = $1", shop);
        using var next = await shop.ChatAsync();

        Assert.Equal((HttpStatusCode.OK, "miss"), (next.StatusCode, next.Header(ServeCached.Header)));
    }

    [Fact]
    public async Task What_is_kept_of_an_organisation_is_bounded_and_large_answers_are_not_kept()
    {
        await using var instance = await marketplace.StartInstanceAsync(settings:
            [new KeyValuePair<string, string?>("ResponseCache:MaxOrganisationAnswers", "2"), new("ResponseCache:MaxAnswerBytes", "1024"), new("ResponseCache:TidyEvery", "00:00:00.100")]);
        using var shop = await CachingAsync(ProviderScripts.Chat(new string('x', 2_000), 1, 1));
        using var client = shop.Key.Client(instance);
        await Until.TrueAsync(() => instance.App.Services.GetRequiredService<OptedIn<CachePolicy>>().Of(shop.Member.Id) is not null);
        (await Json.UntilReadyAsync(() => shop.ChatAsync(client: client))).Dispose();
        shop.Answer(ProviderScripts.Chat("small", 1, 1));
        for (var i = 0; i < 4; i++)
        {
            (await Json.UntilReadyAsync(() => shop.ChatAsync(Shop.Hello + $",\"seed\":{i}", client))).Dispose();
        }

        // The newest comes last, and then the two newest stay.
        await Until.TrueAsync(async () => (await shop.ChatAsync(Shop.Hello + ",\"seed\":3", client)).Header(ServeCached.Header) == "hit");
        await KeptAsync(shop, 2);
        Assert.Equal("miss", (await shop.ChatAsync(client: client)).Header(ServeCached.Header));
    }

    [Fact]
    public async Task It_is_off_until_switched_on_and_switching_it_off_erases_what_it_kept()
    {
        using var shop = await Shop.OpenAsync(marketplace, ProviderScripts.Chat("hi", 1, 1));
        using var before = await shop.ChatAsync();
        Assert.Null(before.Header(ServeCached.Header));
        Assert.Equal((404, "not_found"), await (await shop.Member.Client.GetAsync(Path)).ProblemAsync());
        Assert.Equal(HttpStatusCode.NoContent, (await shop.Member.Client.DeleteAsync(Path)).StatusCode);

        await SwitchOnAsync(shop.Member, new { });
        Assert.Equal(3_600, (await shop.Member.Client.GetFromJsonAsync<JsonElement>(Path)).GetProperty("timeToLiveSeconds").GetInt32());
        using var first = await shop.ChatAsync();
        await KeptAsync(shop);
        Assert.Equal(HttpStatusCode.NoContent, (await shop.Member.Client.DeleteAsync(Path + "/answers")).StatusCode);
        using var again = await shop.ChatAsync();
        await KeptAsync(shop);
        Assert.Equal(HttpStatusCode.NoContent, (await shop.Member.Client.DeleteAsync(Path)).StatusCode);
        await KeptAsync(shop, 0);

        Assert.Equal("miss", again.Header(ServeCached.Header));
        await Until.TrueAsync(() => marketplace.Service.App.Services.GetRequiredService<OptedIn<CachePolicy>>().Of(shop.Member.Id) is null);
        Assert.Null((await shop.ChatAsync()).Header(ServeCached.Header));
        Assert.Equal(HttpStatusCode.NotFound, (await shop.Member.Client.GetAsync(Path)).StatusCode);
    }

    [Theory]
    [InlineData("""{"timeToLiveSeconds":0}""", "invalid_time_to_live")]
    [InlineData("""{"timeToLiveSeconds":604801}""", "invalid_time_to_live")]
    [InlineData("""{"services":["chat"]}""", "invalid_service")]
    [InlineData("""{"services":["acme/chat@1"]}""", "invalid_service")]
    public async Task A_setting_that_means_nothing_is_refused(string setting, string code)
    {
        var member = await marketplace.AddOrganisationAsync();

        Assert.Equal((400, code), await (await member.Client.PutAsync(Path, Json.Content(setting))).ProblemAsync());
    }

    [Fact]
    public async Task Only_consumers_set_it()
    {
        var member = await marketplace.AddOrganisationAsync();
        using var provider = marketplace.Service.ClientWith(marketplace.Identity.Token(member.Id, "acme", [Roles.Provider]));

        Assert.Equal(HttpStatusCode.Forbidden, (await provider.PutAsJsonAsync(Path, new { })).StatusCode);
    }

    private async Task<Shop> CachingAsync(Func<ReceivedCall, Task> answer, string category = "text-generation")
    {
        var shop = await Shop.OpenAsync(marketplace, answer, category: category);
        await SwitchOnAsync(shop.Member, new { timeToLiveSeconds = 3_600 });
        return shop;
    }

    private async Task SwitchOnAsync(Member member, object setting)
    {
        var answer = await member.Client.PutAsJsonAsync(Path, setting);
        Assert.True(answer.IsSuccessStatusCode, await answer.Content.ReadAsStringAsync());
        await Until.TrueAsync(() => marketplace.Service.App.Services.GetRequiredService<OptedIn<CachePolicy>>().Of(member.Id) is not null);
    }

    /// <summary>Waits until so many answers are kept.</summary>
    private Task KeptAsync(Shop shop, long count = 1) =>
        Until.TrueAsync(async () => await QueryAsync<long>("SELECT count(*) FROM cached_answers WHERE organisation_id = $1", shop) == count);

    private async Task AgeAsync(Shop shop, TimeSpan by) =>
        await QueryAsync<object>($"UPDATE cached_answers SET created_at = created_at - interval '{by.TotalSeconds} seconds' WHERE organisation_id = $1", shop);

    private async Task<T?> QueryAsync<T>(string sql, Shop shop)
    {
        await using var database = Npgsql.NpgsqlDataSource.Create(marketplace.Database.SuperuserConnectionString);
        await using var command = database.CreateCommand(sql);
        command.Parameters.Add(new() { Value = shop.Member.Id });
        return (T?)await command.ExecuteScalarAsync();
    }

    private static async Task<HttpResponseMessage> CallAsync(Shop shop, string members, string? header, string? value)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, "/v1/chat/completions") { Content = Json.Content(shop.Body(members)) };
        if (header is not null)
        {
            request.Headers.TryAddWithoutValidation(header, value);
        }

        return await shop.Client.SendAsync(request);
    }
}
