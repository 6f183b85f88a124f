using System.Net.Http.Json;
using System.Text.Json;
using LlmMarketplace.Consumption.Routing;
using LlmMarketplace.Consumption.Tests.Surfaces;
using LlmMarketplace.Publishing.Contracts;
using LlmMarketplace.Servers;
using Microsoft.Extensions.DependencyInjection;
using Xunit;

namespace LlmMarketplace.Consumption.Tests.Serving;

/// <summary>Each time that a provider may take has its own error and record.</summary>
public sealed class TimeoutsTests(Marketplace marketplace)
{
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(3);

    [Fact]
    public async Task A_connection_that_does_not_come_about_in_time_is_tried_again_and_told()
    {
        var listing = await marketplace.AddServiceAsync(url: "http://full.local/v1", endpoint: endpoint => endpoint with { Timeouts = new EndpointTimeouts(1_000, null, null, null) });
        var member = await marketplace.AddOrganisationAsync();
        using var client = (await member.CreateKeyAsync()).Client();

        var answer = await client.PostJsonAsync("/v1/chat/completions", $$"""{"model":"acme/{{listing.Name}}",{{Shop.Hello}} }""");

        Assert.Equal(new OpenAiError(504, "provider_error", "provider_connect_timeout", null), await answer.ErrorAsync());
        AssertRecord(await member.RecordAsync(answer.RequestId()), "failed", 504, "connect-timeout", "connect-timeout", "connect-timeout");
    }

    [Fact]
    public async Task A_caller_who_leaves_while_we_connect_leaves_a_record_and_pays_nothing()
    {
        var listing = await marketplace.AddServiceAsync(url: "http://full.local/v1");
        var member = await marketplace.AddOrganisationAsync();
        using var client = (await member.CreateKeyAsync()).Client();
        using var leaving = new CancellationTokenSource();

        var call = client.PostAsync("/v1/chat/completions", Json.Content($$"""{"model":"acme/{{listing.Name}}",{{Shop.Hello}} }"""), leaving.Token);
        await Until.TrueAsync(async () => (await (await client.GetAsync("/v1/key")).JsonAsync()).GetProperty("key").GetProperty("open_calls").GetInt64() == 1);
        leaving.Cancel();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => call);

        var record = await Until.SomeAsync(async () =>
        {
            var page = await member.Client.GetFromJsonAsync<JsonElement>("/api/v1/usage/records");
            return page.GetProperty("items").EnumerateArray().Select(item => (JsonElement?)item).SingleOrDefault();
        });
        AssertRecord(record, "failed", 0, "left-unsent");
        Assert.Equal(0m, record.GetProperty("cost").GetDecimal());
    }

    [Fact]
    public async Task A_caller_who_leaves_while_we_connect_once_more_does_not_pay_for_the_attempt_that_failed()
    {
        using var shop = await Shop.OpenAsync(
            marketplace, ProviderScripts.Fail(503), Prices.PerMillionTokens(1m), endpoint: at => at with { Weight = 1_000, Replicas = [new EndpointReplica("second", "http://full.local/v1", 0, null)] });

        var version = marketplace.Service.App.Services.GetRequiredService<Catalogue.Catalogue>().Current.Listings[shop.Model].Versions[0];
        var first = marketplace.Service.App.Services.GetRequiredService<Routes>().HealthOf(version, version.Endpoints[0]);
        for (var failure = 0; failure < 4; failure++)
        {
            first.Failed();
        }

        var record = await LeaveAsync(shop, shop.Body(), () => first.ClosedFor > TimeSpan.Zero); // By its fifth failure: it is the other address that is tried then.

        Assert.Equal(("failed", 0, 0m), (record.Text("outcome"), record.GetProperty("inputTokens").GetInt64(), record.GetProperty("cost").GetDecimal()));
        Assert.Single(shop.Seen);
    }

    [Fact]
    public async Task A_caller_who_leaves_within_the_providers_refusal_pays_nothing()
    {
        var hasAnswered = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        using var shop = await Shop.OpenAsync(marketplace, async call =>
        {
            (call.Http.Response.StatusCode, call.Http.Response.ContentType) = (400, "application/json");
            await ProviderScripts.SendAsync(call, "{\"error\":");
            hasAnswered.SetResult();
            await Task.Delay(Timeout.Infinite, call.Http.RequestAborted);
        });

        var record = await LeaveAsync(shop, shop.Body(), () => hasAnswered.Task.IsCompleted);

        Assert.Equal(0m, record.GetProperty("cost").GetDecimal());
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task An_answer_that_does_not_begin_in_time_is_told_and_not_asked_for_again(bool sendsHeaders)
    {
        using var shop = await OpenAsync(new EndpointTimeouts(null, 1_000, null, null), async call =>
        {
            if (sendsHeaders)
            {
                await ProviderScripts.BeginStreamAsync(call);
            }

            await Task.Delay(Timeout.Infinite, call.Http.RequestAborted);
        });

        using var answer = await shop.StreamAsync();

        Assert.Equal(new OpenAiError(504, "provider_error", "provider_first_byte_timeout", null), await answer.ErrorAsync());
        await Assert.Single(shop.Seen).Left.WaitAsync(Patience);
        AssertRecord(await shop.RecordAsync(answer), "failed", 504, "first-byte-timeout");
    }

    [Fact]
    public async Task A_caller_who_does_not_read_makes_no_provider_fall_silent()
    {
        var idle = TimeSpan.FromSeconds(1);
        var event100k = ProviderScripts.Chunk(new string('x', 100_000));
        var sentAt = TimeProvider.System.GetTimestamp();
        using var shop = await OpenAsync(new EndpointTimeouts(null, null, (int)idle.TotalMilliseconds, null), async call =>
        {
            await ProviderScripts.BeginStreamAsync(call);
            for (var sent = 0; sent < 300; sent++) // More than waits on the way, in the system's buffers.
            {
                await ProviderScripts.SendAsync(call, event100k);
                Volatile.Write(ref sentAt, TimeProvider.System.GetTimestamp());
            }

            await ProviderScripts.SendAsync(call, "data: [DONE]\n\n");
        });

        using var answer = await shop.StreamAsync();
        await Until.TrueAsync(() => TimeProvider.System.GetElapsedTime(Volatile.Read(ref sentAt)) > 2 * idle); // For so long the provider had to hold back.

        Assert.EndsWith("data: [DONE]\n\n", await answer.Content.ReadAsStringAsync(), StringComparison.Ordinal);
        Assert.Equal("completed", (await shop.RecordAsync(answer)).Text("outcome"));
    }

    [Fact]
    public async Task A_whole_answer_has_a_time_to_begin_too()
    {
        using var shop = await OpenAsync(new EndpointTimeouts(null, 1_000, null, null), ProviderScripts.After(new TaskCompletionSource().Task, ProviderScripts.Fail(500)));

        var answer = await shop.ChatAsync();

        Assert.Equal((504, "provider_first_byte_timeout"), ((int)answer.StatusCode, (await answer.ErrorAsync()).Code));
    }

    [Fact]
    public async Task A_stream_that_falls_silent_is_cut_and_charged_for_what_came()
    {
        using var shop = await OpenAsync(new EndpointTimeouts(null, 30_000, 1_000, null), async call =>
        {
            await ProviderScripts.BeginStreamAsync(call);
            await ProviderScripts.SendAsync(call, ProviderScripts.Chunk("12345678"));
            await Task.Delay(Timeout.Infinite, call.Http.RequestAborted);
        });

        using var answer = await shop.StreamAsync();

        Assert.Equal("provider_idle_timeout", LastCode(await answer.Content.ReadAsStringAsync()));
        await shop.Seen[0].Left.WaitAsync(Patience);
        AssertRecord(await shop.RecordAsync(answer), "cut", 200, "idle-timeout");
    }

    [Fact]
    public async Task A_stream_that_goes_on_and_on_ends_with_its_whole_time()
    {
        using var shop = await OpenAsync(new EndpointTimeouts(null, null, 30_000, 2_000), async call =>
        {
            await ProviderScripts.BeginStreamAsync(call);
            while (true)
            {
                await ProviderScripts.SendAsync(call, ProviderScripts.Chunk("12345678"));
                await Task.Delay(20, call.Http.RequestAborted);
            }
        });

        using var answer = await shop.StreamAsync();

        Assert.Equal("provider_timeout", LastCode(await answer.Content.ReadAsStringAsync()));
        await shop.Seen[0].Left.WaitAsync(Patience);
        AssertRecord(await shop.RecordAsync(answer), "cut", 200, "timeout");
    }

    [Fact]
    public async Task A_whole_answer_that_is_not_whole_in_its_time_is_a_failed_call()
    {
        using var shop = await OpenAsync(new EndpointTimeouts(null, null, null, 2_000), async call =>
        {
            call.Http.Response.ContentType = "application/json";
            await ProviderScripts.SendAsync(call, """{"choices":[""");
            await Task.Delay(Timeout.Infinite, call.Http.RequestAborted);
        });

        var answer = await shop.ChatAsync();

        Assert.Equal((504, "provider_timeout"), ((int)answer.StatusCode, (await answer.ErrorAsync()).Code));
        AssertRecord(await shop.RecordAsync(answer), "failed", 504, "timeout");
    }

    private Task<Shop> OpenAsync(EndpointTimeouts timeouts, Func<ReceivedCall, Task> script) => Shop.OpenAsync(marketplace, script, endpoint: endpoint => endpoint with { Timeouts = timeouts });

    /// <summary>Calls, leaves once it is time, and gives the one record.</summary>
    private static async Task<JsonElement> LeaveAsync(Shop shop, string body, Func<bool> isTime)
    {
        using var leaving = new CancellationTokenSource();
        var call = shop.Client.PostAsync("/v1/chat/completions", Json.Content(body), leaving.Token);
        await Until.TrueAsync(isTime);
        await leaving.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => call);
        return await Until.SomeAsync(async () =>
        {
            var page = await shop.Member.Client.GetFromJsonAsync<JsonElement>("/api/v1/usage/records");
            return page.GetProperty("items").EnumerateArray().Select(item => (JsonElement?)item).SingleOrDefault();
        });
    }

    private static void AssertRecord(JsonElement record, string outcome, int status, params string[] errors)
    {
        Assert.Equal((outcome, status), (record.Text("outcome"), record.GetProperty("statusCode").GetInt32()));
        Assert.Equal(errors, record.GetProperty("attempts").EnumerateArray().Select(attempt => attempt.Text("error")));
    }

    private static string? LastCode(string stream) => JsonDocument.Parse(stream.TrimEnd('\n').Split("\n\n")[^1]["data: ".Length..]).RootElement.GetProperty("error").Text("code");
}
