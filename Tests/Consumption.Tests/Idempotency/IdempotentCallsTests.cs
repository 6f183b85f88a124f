using System.Diagnostics.Metrics;
using System.Net;
using System.Text;
using LlmMarketplace.Consumption.Idempotency;
using LlmMarketplace.Consumption.Limits;
using LlmMarketplace.Consumption.Tests.Surfaces;
using LlmMarketplace.Servers;
using Microsoft.Extensions.DependencyInjection;
using Xunit;

namespace LlmMarketplace.Consumption.Tests.Idempotency;

/// <summary>Calls with an <c>Idempotency-Key</c>.</summary>
public sealed class IdempotentCallsTests(Marketplace marketplace)
{
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(3);

    [Fact]
    public async Task A_repeat_gets_the_first_answer_and_is_billed_once()
    {
        using var shop = await Shop.OpenAsync(marketplace, ProviderScripts.OneByOne(ProviderScripts.Chat("first", 1, 1), ProviderScripts.Chat("second", 1, 1)));
        await shop.Member.SetBudgetAsync(0.01m);

        using var first = await CallAsync(shop, "k 1");
        using var repeat = await CallAsync(shop, "k 1");

        Assert.Equal((HttpStatusCode.OK, null), (first.StatusCode, first.Header(ReplayAnswer.Header)));
        Assert.Equal((HttpStatusCode.OK, "true"), (repeat.StatusCode, repeat.Header(ReplayAnswer.Header)));
        Assert.Equal(await first.Content.ReadAsStringAsync(), await repeat.Content.ReadAsStringAsync());
        Assert.Equal(first.Content.Headers.ContentType, repeat.Content.Headers.ContentType);
        Assert.Equal((first.RequestId(), first.Header("x-marketplace-model")), (repeat.RequestId(), repeat.Header("x-marketplace-model")));
        Assert.Single(shop.Seen);
        Assert.Equal((1, 0.01m), await shop.TotalAsync());
    }

    [Fact]
    public async Task Repeats_are_counted()
    {
        var factory = marketplace.Service.App.Services.GetRequiredService<IMeterFactory>();
        var counted = 0L;
        using var listener = new MeterListener();
        listener.InstrumentPublished = (instrument, self) =>
        {
            if (instrument.Name == "marketplace.calls.replayed" && ReferenceEquals(instrument.Meter.Scope, factory))
            {
                self.EnableMeasurementEvents(instrument);
            }
        };
        listener.SetMeasurementEventCallback<long>((_, value, tags, _) =>
        {
            if (tags.Contains(new("gen_ai.operation.name", "embeddings")))
            {
                Interlocked.Add(ref counted, value);
            }
        });
        listener.Start();
        using var shop = await Shop.OpenAsync(marketplace, ProviderScripts.Embedding(3), category: "embeddings");
        shop.Client.DefaultRequestHeaders.Add("Idempotency-Key", "counted");

        using var first = await shop.EmbedAsync();
        Assert.Equal(0, counted);
        using var repeat = await shop.EmbedAsync();

        Assert.Equal((HttpStatusCode.OK, 1), (repeat.StatusCode, counted));
    }

    [Fact]
    public async Task A_repeated_stream_is_replayed_byte_for_byte_by_another_instance_too()
    {
        await using var other = await marketplace.StartInstanceAsync();
        using var shop = await Shop.OpenAsync(marketplace, ProviderScripts.Stream(["Hel", "lo ✓"], 5, 2), Prices.PerMillionTokens(1m, 10m));
        using var there = await ClientAsync(other, shop);

        using var first = await CallAsync(shop, "stream", Streamed);
        using var repeat = await CallAsync(shop, "stream", Streamed, there);

        var text = ProviderScripts.Chunk("Hel") + ProviderScripts.Chunk("lo ✓") + "data: [DONE]\n\n";
        Assert.Equal((text, text), (await first.Content.ReadAsStringAsync(), await repeat.Content.ReadAsStringAsync()));
        Assert.Equal(("text/event-stream", "true"), (repeat.Content.Headers.ContentType?.MediaType, repeat.Header(ReplayAnswer.Header)));
        Assert.Equal(first.RequestId(), repeat.RequestId());
        Assert.Equal((1, 0.000025m), await shop.TotalAsync());
    }

    [Fact]
    public async Task A_burst_of_one_key_over_two_instances_is_one_call_of_the_provider_s()
    {
        await using var other = await marketplace.StartInstanceAsync();
        var gate = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        using var shop = await Shop.OpenAsync(marketplace, ProviderScripts.After(gate.Task, ProviderScripts.Chat("hi", 1, 1)));
        using var there = await ClientAsync(other, shop);

        var calls = Enumerable.Range(0, 40).Select(i => CallAsync(shop, "burst", client: i % 2 == 0 ? shop.Client : there)).ToList();
        var refused = new List<HttpResponseMessage>();
        while (calls.Count > 1)
        {
            var ended = await Task.WhenAny(calls).WaitAsync(Patience);
            calls.Remove(ended);
            refused.Add(await ended);
        }

        Assert.Single(shop.Seen);
        gate.SetResult();
        using var first = await calls.Single();
        Assert.Equal(HttpStatusCode.OK, first.StatusCode);
        foreach (var refusal in refused)
        {
            Assert.Equal((409, "idempotency_in_progress"), ((await refusal.ErrorAsync()).Status, (await refusal.ErrorAsync()).Code));
            Assert.Equal("1", refusal.Header("retry-after"));
            refusal.Dispose();
        }

        HttpResponseMessage repeat = null!;
        await Until.TrueAsync(async () => (repeat = await CallAsync(shop, "burst", client: there)).IsSuccessStatusCode);
        Assert.Equal(await first.Content.ReadAsStringAsync(), await repeat.Content.ReadAsStringAsync());
        Assert.Single(shop.Seen);
        Assert.Equal((1, 0.01m), await shop.TotalAsync());
    }

    [Fact]
    public async Task Another_body_is_refused_and_another_path_or_API_key_is_another_call()
    {
        using var shop = await Shop.OpenAsync(marketplace, ProviderScripts.Chat("hi", 1, 1));
        var otherKey = await shop.Member.CreateKeyAsync();
        using var other = otherKey.Client();
        (await CallAsync(shop, "same")).Dispose();

        using var otherBody = await CallAsync(shop, "same", Shop.Hello + ",\"temperature\":1");
        using var otherPath = await PostAsync(shop.Client, "/v1/messages", shop.Body(Shop.Hello + ",\"max_tokens\":10"), "same");
        using var otherCaller = await CallAsync(shop, "same", client: other);

        Assert.Equal((422, "idempotency_key_reused"), ((await otherBody.ErrorAsync()).Status, (await otherBody.ErrorAsync()).Code));
        Assert.Equal((HttpStatusCode.OK, HttpStatusCode.OK), (otherPath.StatusCode, otherCaller.StatusCode));
        Assert.Equal(3, shop.Seen.Count);
    }

    [Theory]
    [InlineData(500, 502)]
    [InlineData(422, 422)]
    public async Task A_call_that_failed_leaves_its_key_free(int provider, int status)
    {
        using var shop = await Shop.OpenAsync(marketplace, ProviderScripts.Fail(provider));
        Assert.Equal(status, (int)(await CallAsync(shop, "retry")).StatusCode);

        shop.Answer(ProviderScripts.Chat("at last", 1, 1));
        using var again = await CallAsync(shop, "retry");

        Assert.Equal((HttpStatusCode.OK, null), (again.StatusCode, again.Header(ReplayAnswer.Header)));
        Assert.Equal((2, 0.01m), await shop.TotalAsync());
    }

    [Fact]
    public async Task A_cut_stream_leaves_its_key_free_and_the_next_call_s_answer_is_kept_whole()
    {
        var (script, arrived) = SurfaceMarket.CutAfter(ProviderScripts.Chunk("12345678"));
        using var shop = await Shop.OpenAsync(marketplace, script);
        using (var cut = await SendAsync(shop, "cut", Streamed))
        {
            using var reader = new StreamReader(await cut.Content.ReadAsStreamAsync());
            await reader.ReadLineAsync();
            arrived.SetResult();
            Assert.Contains("provider_error", await reader.ReadToEndAsync(), StringComparison.Ordinal);
        }

        shop.Answer(ProviderScripts.Stream(["whole"], 1, 1));
        using var next = await CallAsync(shop, "cut", Streamed);
        using var repeat = await CallAsync(shop, "cut", Streamed);

        var text = ProviderScripts.Chunk("whole") + "data: [DONE]\n\n";
        Assert.Equal((text, text, "true"), (await next.Content.ReadAsStringAsync(), await repeat.Content.ReadAsStringAsync(), repeat.Header(ReplayAnswer.Header)));
        Assert.Equal(2, shop.Seen.Count);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Who_leaves_before_the_answer_finds_it_when_coming_back(bool streamed)
    {
        var gate = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        using var shop = await Shop.OpenAsync(marketplace, async call =>
        {
            if (streamed)
            {
                await ProviderScripts.BeginStreamAsync(call);
                await ProviderScripts.SendAsync(call, ProviderScripts.Chunk("one"));
                await gate.Task.WaitAsync(call.Http.RequestAborted);
                await ProviderScripts.SendAsync(call, ProviderScripts.Chunk("two"));
                await ProviderScripts.SendAsync(call, ProviderScripts.UsageChunk(1, 2) + "data: [DONE]\n\n");
                return;
            }

            await gate.Task.WaitAsync(call.Http.RequestAborted);
            await ProviderScripts.Chat("hi", 1, 2)(call);
        });
        var members = streamed ? Streamed : Shop.Hello;
        using (var leaving = new CancellationTokenSource())
        {
            var left = SendAsync(shop, "left", members, leave: leaving.Token);
            await Until.TrueAsync(() => shop.Seen.Count == 1);
            using var begun = streamed ? await left : null;
            await leaving.CancelAsync();
            if (!streamed)
            {
                await Assert.ThrowsAnyAsync<OperationCanceledException>(() => left);
            }
        }

        await Until.TrueAsync(async () => (await CallAsync(shop, "left", members)).StatusCode == HttpStatusCode.Conflict);
        gate.SetResult();
        HttpResponseMessage repeat = null!;
        await Until.TrueAsync(async () => (repeat = await CallAsync(shop, "left", members)).IsSuccessStatusCode);

        Assert.Equal("true", repeat.Header(ReplayAnswer.Header));
        Assert.Contains(streamed ? ProviderScripts.Chunk("one") + ProviderScripts.Chunk("two") + "data: [DONE]\n\n" : "\"hi\"", await repeat.Content.ReadAsStringAsync(), StringComparison.Ordinal);
        Assert.Equal("completed", (await shop.RecordAsync(repeat)).Text("outcome"));
        Assert.Single(shop.Seen);
        Assert.Equal((1, 0.01m), await shop.TotalAsync());
    }

    [Fact]
    public async Task An_answer_too_large_to_keep_says_so_and_a_repeat_is_refused_and_never_charged()
    {
        await using var instance = await marketplace.StartInstanceAsync(settings: new KeyValuePair<string, string?>("Idempotency:MaxAnswerBytes", "1024"));
        using var shop = await Shop.OpenAsync(marketplace, ProviderScripts.Chat(new string('x', 2_000), 1, 1));
        using var client = await ClientAsync(instance, shop);

        using var first = await CallAsync(shop, "large", client: client);
        using var repeat = await CallAsync(shop, "large", client: client);

        Assert.Equal((HttpStatusCode.OK, "not-kept"), (first.StatusCode, first.Header("x-marketplace-idempotency")));
        Assert.Equal((410, "idempotent_answer_not_kept"), ((await repeat.ErrorAsync()).Status, (await repeat.ErrorAsync()).Code));
        Assert.Equal("false", repeat.Header("x-should-retry"));
        Assert.Contains(first.RequestId().ToString(), await repeat.Content.ReadAsStringAsync(), StringComparison.Ordinal);
        Assert.Single(shop.Seen);
        Assert.Equal((1, 0.01m), await shop.TotalAsync());
    }

    [Fact]
    public async Task What_is_kept_of_an_organisation_is_bounded_the_oldest_answers_go_first()
    {
        await using var instance = await marketplace.StartInstanceAsync(settings:
            [new KeyValuePair<string, string?>("Idempotency:MaxOrganisationBytes", "5500"), new("Idempotency:MaxOrganisationKeys", "10"), new("Idempotency:TidyEvery", "00:00:00.100")]);
        using var shop = await Shop.OpenAsync(marketplace, call => ProviderScripts.Chat(Convert.ToBase64String(System.Security.Cryptography.RandomNumberGenerator.GetBytes(3_000)), 1, 1)(call));
        using var client = await ClientAsync(instance, shop);
        (await CallAsync(shop, "0", client: client)).Dispose();
        (await CallAsync(shop, "1", client: client)).Dispose();

        await Until.TrueAsync(async () => (await CallAsync(shop, "0", client: client)).StatusCode == HttpStatusCode.Gone);
        Assert.Equal("true", (await CallAsync(shop, "1", client: client)).Header(ReplayAnswer.Header));
        for (var i = 2; i < 12; i++)
        {
            (await CallAsync(shop, $"{i}", client: client)).Dispose();
        }

        Assert.Equal(12, shop.Seen.Count);
        await Until.TrueAsync(async () => (await CallAsync(shop, "0", client: client)).StatusCode == HttpStatusCode.OK); // Forgotten, so it is free again.
    }

    [Fact]
    public async Task A_key_whose_time_is_over_is_free_and_then_stands_for_the_new_answer()
    {
        const string other = Shop.Hello + ",\"temperature\":1";
        using var shop = await Shop.OpenAsync(marketplace, ProviderScripts.OneByOne(ProviderScripts.Chat("yesterday's", 1, 1), ProviderScripts.Chat("today's", 1, 1)));
        using var first = await CallAsync(shop, "daily");
        await RunOutAsync(shop);

        using var second = await CallAsync(shop, "daily", other);
        using var repeat = await CallAsync(shop, "daily", other);

        Assert.Equal((HttpStatusCode.OK, null), (second.StatusCode, second.Header(ReplayAnswer.Header)));
        Assert.Equal((HttpStatusCode.OK, "true", second.RequestId()), (repeat.StatusCode, repeat.Header(ReplayAnswer.Header), repeat.RequestId()));
        Assert.Equal(await second.Content.ReadAsStringAsync(), await repeat.Content.ReadAsStringAsync());
        Assert.Equal((2, 0.02m), await shop.TotalAsync());
    }

    [Fact]
    public async Task What_is_kept_can_be_had_when_the_model_cannot_be_called_any_more()
    {
        using var shop = await Shop.OpenAsync(marketplace, ProviderScripts.Chat("hi", 1, 1));
        using var first = await CallAsync(shop, "suspended");
        await marketplace.TellAsync(shop.Listing with { Suspended = true });

        using var repeat = await CallAsync(shop, "suspended");
        using var other = await CallAsync(shop, "another");

        Assert.Equal((HttpStatusCode.OK, first.RequestId()), (repeat.StatusCode, repeat.RequestId()));
        Assert.Equal("service_suspended", await other.ErrorCodeAsync());
    }

    [Fact]
    public async Task What_is_kept_is_encrypted_and_bound_to_its_call()
    {
        using var shop = await Shop.OpenAsync(marketplace, ProviderScripts.Chat("a secret of the caller", 1, 1));
        using var first = await CallAsync(shop, "a secret key");
        var protector = marketplace.Service.App.Services.GetRequiredService<AnswerProtector>();

        await using var database = Npgsql.NpgsqlDataSource.Create(marketplace.Database.SuperuserConnectionString);
        await using var read = database.CreateCommand("SELECT answer, claim, (k.*)::text FROM kept_answers k WHERE organisation_id = $1");
        read.Parameters.Add(new() { Value = shop.Member.Id });
        await using var reader = await read.ExecuteReaderAsync();
        Assert.True(await reader.ReadAsync());
        var (answer, claim) = (reader.GetFieldValue<byte[]>(0), reader.GetString(1));
        Assert.DoesNotContain("secret", reader.GetString(2), StringComparison.Ordinal);
        Assert.Equal(await first.Content.ReadAsStringAsync(), Encoding.UTF8.GetString(protector.Unprotect(shop.Member.Id, claim, first.RequestId(), answer).Body.Span));
        Assert.ThrowsAny<System.Security.Cryptography.CryptographicException>(() => protector.Unprotect(shop.Member.Id, claim, Guid.CreateVersion7(), answer));
    }

    [Theory]
    [InlineData("")]
    [InlineData("tab\there")]
    public async Task An_invalid_key_is_refused(string key)
    {
        using var shop = await Shop.OpenAsync(marketplace, ProviderScripts.Chat("hi", 1, 1));

        using var answer = await CallAsync(shop, key);

        Assert.Equal((400, "invalid_idempotency_key"), ((await answer.ErrorAsync()).Status, (await answer.ErrorAsync()).Code));
        Assert.Empty(shop.Seen);
    }

    [Fact]
    public async Task A_key_of_255_characters_is_taken_and_a_longer_one_is_not()
    {
        using var shop = await Shop.OpenAsync(marketplace, ProviderScripts.Chat("hi", 1, 1));

        Assert.Equal(200, (int)(await CallAsync(shop, new string('k', 255))).StatusCode);
        Assert.Equal(400, (int)(await CallAsync(shop, new string('k', 256))).StatusCode);
    }

    private const string Streamed = Shop.Hello + ",\"stream\":true";

    private static async Task<HttpResponseMessage> CallAsync(Shop shop, string key, string members = Shop.Hello, HttpClient? client = null)
    {
        var answer = await PostAsync(client ?? shop.Client, "/v1/chat/completions", shop.Body(members), key);
        await answer.Content.LoadIntoBufferAsync();
        return answer;
    }

    private static Task<HttpResponseMessage> SendAsync(Shop shop, string key, string members, CancellationToken leave = default) =>
        shop.Client.SendAsync(Request("/v1/chat/completions", shop.Body(members), key), HttpCompletionOption.ResponseHeadersRead, leave);

    private static Task<HttpResponseMessage> PostAsync(HttpClient client, string path, string body, string key) => client.SendAsync(Request(path, body, key));

    private static HttpRequestMessage Request(string path, string body, string key)
    {
        var request = new HttpRequestMessage(HttpMethod.Post, path) { Content = Json.Content(body) };
        request.Headers.TryAddWithoutValidation(ReadClaim.Header, key);
        return request;
    }

    /// <summary>The organisation's one idempotency key is forgotten as when its time is over: by Redis, a moment before PostgreSQL.</summary>
    private async Task RunOutAsync(Shop shop)
    {
        await using var database = Npgsql.NpgsqlDataSource.Create(marketplace.Database.SuperuserConnectionString);
        await using var read = database.CreateCommand("SELECT claim FROM kept_answers WHERE organisation_id = $1");
        read.Parameters.Add(new() { Value = shop.Member.Id });
        var claim = LimitScripts.ClaimKeyOf(shop.Member.Id, (string)(await read.ExecuteScalarAsync())!);
        var redis = marketplace.Service.App.Services.GetRequiredService<StackExchange.Redis.IConnectionMultiplexer>().GetDatabase();
        await Until.TrueAsync(async () => ((string?)await redis.StringGetAsync(claim))?[0] == ClaimState.Kept);
        await redis.KeyDeleteAsync(claim);
    }

    private static async Task<HttpClient> ClientAsync(TestService instance, Shop shop)
    {
        var client = shop.Key.Client(instance);
        await Until.TrueAsync(async () => (await client.GetAsync($"/v1/models/{shop.Model}")).IsSuccessStatusCode);
        return client;
    }
}
