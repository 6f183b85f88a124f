using System.ClientModel;
using System.Net;
using LlmMarketplace.Publishing.Contracts;
using LlmMarketplace.Servers;
using OpenAI;
using OpenAI.Audio;
using Xunit;

namespace LlmMarketplace.Consumption.Tests.Surfaces;

public sealed class SpeechTests(Marketplace marketplace)
{
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(3);
    private static readonly ServicePricing ByCharacters = new(PricingModel.PerRequest, "USD", [new PriceRate("default", "request", 0m, null, null) { MillionCharacters = 15m }]);
    private static readonly ServicePricing ByTokens = new(PricingModel.PerToken, "USD", [new PriceRate("default", "1m-tokens", 0.6m, null, null) { AudioInput = 12m, AudioOutput = 12m }]);

    [Fact]
    public async Task Speech_comes_whole_and_is_charged_by_its_characters()
    {
        var spoken = Sound.Mp3(500);
        var (key, member, service) = await CallerAsync(Audio(spoken), ByCharacters);
        using var http = key.Client();
        var client = new AudioClient($"acme/{service.Name}", new ApiKeyCredential(key.Text), new OpenAIClientOptions { Endpoint = new Uri(http.BaseAddress!, "v1") });

        var answer = await client.GenerateSpeechAsync("Grüße 👋", GeneratedSpeechVoice.Alloy);

        Assert.Equal(spoken, answer.Value.ToArray());
        Assert.True(answer.GetRawResponse().Headers.TryGetValue("content-type", out var type));
        Assert.Equal("audio/mpeg", type);
        Assert.True(answer.GetRawResponse().Headers.TryGetValue("x-request-id", out var id));
        var record = await member.RecordAsync(Guid.Parse(id!));
        Assert.Equal(("audio.speech", "completed"), (record.Text("operation"), record.Text("outcome")));
        Assert.Equal(7 * 15m / 1_000_000m, record.GetProperty("cost").GetDecimal());
    }

    [Fact]
    public async Task Speech_arrives_while_it_is_still_being_made()
    {
        var heard = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var (key, member, service) = await CallerAsync(
            async call =>
            {
                call.Http.Response.ContentType = "audio/pcm";
                await ProviderScripts.SendAsync(call, "first");
                await heard.Task.WaitAsync(call.Http.RequestAborted);
                await ProviderScripts.SendAsync(call, "second");
            },
            ByCharacters);
        using var client = key.Client();

        using var answer = await client.SendAsync(Request(service), HttpCompletionOption.ResponseHeadersRead);
        await using var stream = await answer.Content.ReadAsStreamAsync();
        Assert.Equal("firs", await ReadAsync(stream));
        heard.SetResult();

        using var reader = new StreamReader(stream);
        Assert.Equal("tsecond", await reader.ReadToEndAsync());
        Assert.Equal("completed", (await member.RecordAsync(answer.RequestId())).Text("outcome"));
    }

    [Fact]
    public async Task Speech_that_breaks_off_never_looks_complete_and_is_recorded_as_cut()
    {
        var heard = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var (key, member, service) = await CallerAsync(
            async call =>
            {
                call.Http.Response.ContentType = "audio/pcm";
                await ProviderScripts.SendAsync(call, "first");
                await ProviderScripts.SendAsync(call, "second");
                await heard.Task.WaitAsync(call.Http.RequestAborted);
                await ProviderScripts.Cut(call);
            },
            ByCharacters);
        using var client = key.Client();

        using var answer = await client.SendAsync(Request(service), HttpCompletionOption.ResponseHeadersRead);
        await using var stream = await answer.Content.ReadAsStreamAsync();
        await ReadAsync(stream);
        heard.SetResult();

        await Assert.ThrowsAnyAsync<IOException>(async () => await stream.CopyToAsync(Stream.Null));
        var record = await member.RecordAsync(answer.RequestId());
        Assert.Equal(("cut", 5 * 15m / 1_000_000m), (record.Text("outcome"), record.GetProperty("cost").GetDecimal()));
    }

    [Fact]
    public async Task Who_leaves_in_the_middle_of_speech_pays_for_it_and_the_provider_stops()
    {
        ReceivedCall? seen = null;
        var (key, member, service) = await CallerAsync(
            async call =>
            {
                seen = call;
                call.Http.Response.ContentType = "audio/pcm";
                await ProviderScripts.SendAsync(call, "first");
                await ProviderScripts.SendAsync(call, "second");
                await Task.Delay(Timeout.Infinite, call.Http.RequestAborted);
            },
            ByCharacters);
        using var client = key.Client();

        var answer = await client.SendAsync(Request(service), HttpCompletionOption.ResponseHeadersRead);
        answer.Dispose();

        await seen!.Left.WaitAsync(TimeSpan.FromMinutes(3));
        var record = await member.RecordAsync(answer.RequestId());
        Assert.Equal(("abandoned", 5 * 15m / 1_000_000m), (record.Text("outcome"), record.GetProperty("cost").GetDecimal()));
    }

    [Fact]
    public async Task Speech_of_a_listing_that_is_drained_is_read_to_its_end_though_its_caller_left()
    {
        const int pieces = 50;
        var (left, whole) = (new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously), new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously));
        using var shop = await Shop.OpenAsync(
            marketplace,
            async call =>
            {
                call.Http.Response.ContentType = "audio/pcm";
                await ProviderScripts.SendAsync(call, "first");
                await left.Task.WaitAsync(call.Http.RequestAborted);
                for (var piece = 0; piece < pieces; piece++)
                {
                    await ProviderScripts.SendAsync(call, new string('x', 100_000)); // More than lies between us: it has to be read.
                    await Task.Delay(TimeSpan.FromMilliseconds(20), call.Http.RequestAborted);
                }

                whole.SetResult();
            },
            ByCharacters,
            category: "text-to-speech",
            endpoint: endpoint => endpoint with { WhenCallerLeaves = WhenCallerLeaves.Drain });
        using var client = new HttpClient(new SocketsHttpHandler { ResponseDrainTimeout = TimeSpan.Zero }) { BaseAddress = shop.Client.BaseAddress };
        client.DefaultRequestHeaders.Authorization = shop.Client.DefaultRequestHeaders.Authorization;
        var answer = await client.SendAsync(Request(shop.Listing), HttpCompletionOption.ResponseHeadersRead);
        var id = answer.RequestId();

        answer.Dispose();
        left.SetResult();

        await whole.Task.WaitAsync(Patience);
        var record = await shop.Member.RecordAsync(id);
        Assert.Equal(("abandoned", 0, 5 * 15m / 1_000_000m), (record.Text("outcome"), record.GetProperty("statusCode").GetInt32(), record.GetProperty("cost").GetDecimal()));
        Assert.False(Assert.Single(shop.Seen).Left.IsCompleted);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Speech_whose_key_is_revoked_with_its_calls_never_looks_complete_and_is_recorded_as_cut(bool isRead)
    {
        using var shop = await Shop.OpenAsync(
            marketplace,
            async call =>
            {
                call.Http.Response.ContentType = "audio/pcm";
                await ProviderScripts.SendAsync(call, "first");
                while (!isRead)
                {
                    await ProviderScripts.SendAsync(call, new string('x', 100_000));
                }

                await Task.Delay(Timeout.Infinite, call.Http.RequestAborted);
            },
            ByCharacters,
            category: "text-to-speech");
        using var answer = await shop.Client.SendAsync(Request(shop.Listing), HttpCompletionOption.ResponseHeadersRead);
        await using var stream = await answer.Content.ReadAsStreamAsync();
        Assert.StartsWith("firs", await ReadAsync(stream), StringComparison.Ordinal);

        Assert.Equal(HttpStatusCode.NoContent, (await shop.Member.Client.DeleteAsync($"/api/v1/keys/{shop.Key.Id}?terminate=true")).StatusCode);

        var record = await shop.RecordAsync(answer);
        Assert.Equal(("cut", 5 * 15m / 1_000_000m), (record.Text("outcome"), record.GetProperty("cost").GetDecimal()));
        await Assert.ThrowsAnyAsync<IOException>(() => stream.CopyToAsync(Stream.Null).WaitAsync(Patience));
        await Assert.Single(shop.Seen).Left.WaitAsync(Patience); // Nor does the provider go on.
    }

    [Fact]
    public async Task Speech_that_is_awaited_when_its_key_is_revoked_with_its_calls_is_refused_and_costs_nothing()
    {
        using var shop = await Shop.OpenAsync(marketplace, call => Task.Delay(Timeout.Infinite, call.Http.RequestAborted), ByCharacters, category: "text-to-speech");
        var calling = shop.Client.SendAsync(Request(shop.Listing));
        await Until.TrueAsync(() => shop.Seen.Count == 1);

        await shop.Member.Client.DeleteAsync($"/api/v1/keys/{shop.Key.Id}?terminate=true");

        using var answer = await calling.WaitAsync(Patience);
        Assert.Equal("revoked_api_key", (await answer.ErrorAsync()).Code);
        var record = await shop.RecordAsync(answer);
        Assert.Equal(("failed", 0m), (record.Text("outcome"), record.GetProperty("cost").GetDecimal()));
    }

    [Fact]
    public async Task Speech_as_events_is_charged_by_the_tokens_that_they_tell()
    {
        const string events = "data: {\"type\":\"speech.audio.delta\",\"audio\":\"AAAA\"}\n\ndata: {\"type\":\"speech.audio.done\",\"usage\":{\"input_tokens\":14,\"output_tokens\":101,\"total_tokens\":115}}\n\n";
        var (key, member, service) = await CallerAsync(
            async call =>
            {
                await ProviderScripts.BeginStreamAsync(call);
                await ProviderScripts.SendAsync(call, events);
            },
            ByTokens);
        using var client = key.Client();

        var answer = await client.SendAsync(Request(service, ",\"stream_format\":\"sse\""));

        Assert.Equal(events, await answer.Content.ReadAsStringAsync());
        Assert.Equal(((14 * 0.6m) + (101 * 12m)) / 1_000_000m, (await member.RecordAsync(answer.RequestId())).GetProperty("cost").GetDecimal());
    }

    [Fact]
    public async Task Speech_that_is_asked_for_again_with_its_idempotency_key_is_the_first_one_and_costs_once()
    {
        var spoken = Sound.Mp3(100);
        var (key, member, service) = await CallerAsync(Audio(spoken), ByCharacters);
        using var client = key.Client();
        client.DefaultRequestHeaders.Add("Idempotency-Key", "one");

        var first = await client.SendAsync(Request(service));
        await marketplace.ShippedAsync(member.Id);
        var repeat = await client.SendAsync(Request(service));

        Assert.Equal(spoken, await first.Content.ReadAsByteArrayAsync());
        Assert.Equal(spoken, await repeat.Content.ReadAsByteArrayAsync());
        Assert.Equal(("audio/mpeg", "true"), (repeat.Content.Headers.ContentType?.MediaType, repeat.Header("idempotent-replayed")));
        Assert.Equal(1, (await member.UsageAsync()).GetProperty("total").GetProperty("calls").GetInt64());
    }

    [Fact]
    public async Task Speech_whose_tokens_nobody_would_tell_is_refused_by_name()
    {
        var (key, _, service) = await CallerAsync(Audio([1]), ByTokens);
        using var client = key.Client();

        var answer = await client.SendAsync(Request(service));

        Assert.Equal(new OpenAiError(400, "invalid_request_error", "not_priced", "stream_format"), await answer.ErrorAsync());
    }

    [Fact]
    public async Task An_answer_that_is_no_audio_is_the_providers_failure_and_costs_nothing()
    {
        var (key, member, service) = await CallerAsync(ProviderScripts.Json(200, "{}"), ByCharacters);
        using var client = key.Client();

        var answer = await client.SendAsync(Request(service));

        Assert.Equal((int)HttpStatusCode.BadGateway, (await answer.ErrorAsync()).Status);
        Assert.Equal(0m, (await member.RecordAsync(answer.RequestId())).GetProperty("cost").GetDecimal());
    }

    [Fact]
    public async Task More_characters_than_the_budget_pays_for_are_refused()
    {
        var (key, member, service) = await CallerAsync(Audio([1, 2]), ByCharacters);
        await member.SetBudgetAsync(0.00007m);
        using var client = key.Client();

        var answer = await client.SendAsync(Request(service));

        Assert.Equal("insufficient_quota", (await answer.ErrorAsync()).Code);
    }

    private static HttpRequestMessage Request(ListingChanged service, string more = "") =>
        new(HttpMethod.Post, "/v1/audio/speech") { Content = Json.Content($$"""{"model":"acme/{{service.Name}}","input":"Hello","voice":"alloy"{{more}}}""") };

    private static Func<ReceivedCall, Task> Audio(byte[] bytes) => call =>
    {
        call.Http.Response.ContentType = "audio/mpeg";
        return call.Http.Response.Body.WriteAsync(bytes).AsTask();
    };

    private static async Task<string> ReadAsync(Stream stream)
    {
        var buffer = new byte[100];
        return System.Text.Encoding.UTF8.GetString(buffer, 0, await stream.ReadAsync(buffer));
    }

    private async Task<(CreatedKey Key, Member Member, ListingChanged Service)> CallerAsync(Func<ReceivedCall, Task> script, ServicePricing pricing)
    {
        var service = await marketplace.AddServiceAsync(script, pricing, EndpointProtocol.OpenAi, category: "text-to-speech");
        var member = await marketplace.AddOrganisationAsync();
        return (await member.CreateKeyAsync(), member, service);
    }
}
