using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using LlmMarketplace.Consumption.Contracts;
using LlmMarketplace.Consumption.Metering;
using LlmMarketplace.Consumption.Sla;
using LlmMarketplace.Identity.Contracts;
using LlmMarketplace.Publishing.Contracts;
using LlmMarketplace.Servers;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Npgsql;
using Xunit;

namespace LlmMarketplace.Consumption.Tests.Sla;

/// <summary>Promises that are not kept: found from the records, told once when they start and once when they end, and read by those whom they concern.</summary>
public sealed class SlaWatchTests(Marketplace marketplace)
{
    private static readonly Attempt[] Answered = [new Attempt(200, null, 5)];

    private UsageStore Store => marketplace.Service.App.Services.GetRequiredService<UsageStore>();

    [Fact]
    public async Task A_provider_that_fails_breaks_its_promises_and_its_people_and_governance_read_of_it()
    {
        using var shop = await Shop.OpenAsync(marketplace, ProviderScripts.Fail(500));
        await shop.ChatAsync();
        using var provider = marketplace.Service.ClientWith(marketplace.Identity.Token(shop.Listing.OrganisationId, "acme", [Roles.Provider]));
        using var auditor = marketplace.Service.ClientWith(marketplace.Identity.Token(Guid.CreateVersion7(), "operator", [Roles.Auditor]));
        using var stranger = marketplace.Service.ClientWith(marketplace.Identity.Token(Guid.CreateVersion7(), "another", [Roles.Provider]));

        var seen = await ViolationsAsync(provider, shop.Listing, 2);

        Assert.Equal(["availability 99.9 0 major", "error-rate 0.1 100 major"], seen.Select(Described).Order());
        Assert.All(seen, one => Assert.Equal(($"{shop.Model}@1.0.0", 1, 1, JsonValueKind.Null), (one.Text("model"), one.GetProperty("calls").GetInt64(), one.GetProperty("failures").GetInt64(), one.GetProperty("endedAt").ValueKind)));
        Assert.Equal(2, (await PageAsync(auditor, $"?listingId={shop.Listing.ListingId}&open=true")).GetProperty("items").GetArrayLength());
        Assert.Equal(0, (await PageAsync(auditor, $"?listingId={shop.Listing.ListingId}&open=false")).GetProperty("items").GetArrayLength());
        Assert.Equal(0, (await PageAsync(stranger, "")).GetProperty("items").GetArrayLength());
        Assert.Equal(HttpStatusCode.Forbidden, (await shop.Member.Client.GetAsync("/api/v1/sla/violations")).StatusCode);
    }

    [Fact]
    public async Task What_is_observed_now_is_read_beside_the_promise_by_the_provider_and_by_governance()
    {
        using var shop = await Shop.OpenAsync(marketplace, ProviderScripts.OneByOne(ProviderScripts.Chat("hi", 1, 1), ProviderScripts.Chat("hi", 1, 1), ProviderScripts.Chat("hi", 1, 1), ProviderScripts.Fail(500)));
        for (var i = 0; i < 4; i++)
        {
            await shop.ChatAsync();
        }

        using var provider = marketplace.Service.ClientWith(marketplace.Identity.Token(shop.Listing.OrganisationId, "acme", [Roles.Provider]));
        using var auditor = marketplace.Service.ClientWith(marketplace.Identity.Token(Guid.CreateVersion7(), "operator", [Roles.Auditor]));
        using var stranger = marketplace.Service.ClientWith(marketplace.Identity.Token(Guid.CreateVersion7(), "another", [Roles.Provider]));

        var item = Assert.Single((await ShownAsync(provider, $"?listingId={shop.Listing.ListingId}")).GetProperty("items").EnumerateArray());

        Assert.Equal($"{shop.Model}@1.0.0", item.Text("model"));
        var promises = item.GetProperty("promises").EnumerateArray().ToDictionary(one => one.Text("metric")!);
        Assert.Equal((99.9m, 75m, false, 4, 1), Read(promises["availability"]));
        Assert.Equal((0.1m, 25m, false, 4, 1), Read(promises["error-rate"]));
        Assert.Equal(1_000m, promises["latency"].GetProperty("promised").GetDecimal());
        Assert.True(promises["latency"].GetProperty("observed").GetDecimal() > 0);
        Assert.Equal(item.Text("model"), Assert.Single((await ShownAsync(auditor, $"?listingId={shop.Listing.ListingId}")).GetProperty("items").EnumerateArray()).Text("model"));
        Assert.Empty((await ShownAsync(stranger, "")).GetProperty("items").EnumerateArray());
        Assert.Equal(HttpStatusCode.Forbidden, (await shop.Member.Client.GetAsync("/api/v1/sla")).StatusCode);

        static (decimal Promised, decimal Observed, bool IsKept, long Calls, long Failures) Read(JsonElement promise) => (
            promise.GetProperty("promised").GetDecimal(), promise.GetProperty("observed").GetDecimal(), promise.GetProperty("isKept").GetBoolean(), promise.GetProperty("calls").GetInt64(), promise.GetProperty("failures").GetInt64());

        static async Task<JsonElement> ShownAsync(HttpClient client, string query) => await client.GetFromJsonAsync<JsonElement>("/api/v1/sla" + query);
    }

    [Fact]
    public async Task What_is_observed_of_versions_is_read_page_by_page_and_without_failures_too()
    {
        var names = new List<string>();
        for (var i = 0; i < 2; i++)
        {
            var listing = await marketplace.AddServiceAsync();
            await WriteAsync(listing, 10);
            names.Add($"acme/{listing.Name}@1.0.0");
        }

        using var provider = marketplace.Service.ClientWith(marketplace.Identity.Token((await marketplace.AddServiceAsync()).OrganisationId, "acme", [Roles.Provider]));

        var (seen, cursor) = (new List<string>(), "");
        do
        {
            var page = await provider.GetFromJsonAsync<JsonElement>($"/api/v1/sla?limit=1{cursor}");
            seen.AddRange(page.GetProperty("items").EnumerateArray().Select(item => item.Text("model")!));
            Assert.Distinct(seen); // A page that came before would come for ever.
            cursor = page.Text("nextCursor") is { } next ? $"&cursor={next}" : "";
        }
        while (cursor.Length > 0);

        Assert.Equal(seen.Order(StringComparer.Ordinal), seen);
        Assert.All(names, name => Assert.Contains(name, seen));
    }

    [Fact]
    public async Task While_one_instance_looks_no_other_does()
    {
        await using var database = NpgsqlDataSource.Create(marketplace.Database.SuperuserConnectionString);
        await using var looking = await database.OpenConnectionAsync();
        await using var take = new NpgsqlCommand("SELECT pg_advisory_lock($1)", looking) { Parameters = { new() { Value = WatchSla.Turn } } };
        await take.ExecuteNonQueryAsync();
        var listing = await marketplace.AddServiceAsync();
        await WriteAsync(listing, 1_500);
        var watch = marketplace.Service.App.Services.GetServices<IHostedService>().OfType<WatchSla>().Single();
        using var provider = marketplace.Service.ClientWith(marketplace.Identity.Token(listing.OrganisationId, "acme", [Roles.Provider]));

        await watch.RunAsync(CancellationToken.None);

        Assert.Empty((await PageAsync(provider, $"?listingId={listing.ListingId}")).GetProperty("items").EnumerateArray());
        await using var release = new NpgsqlCommand("SELECT pg_advisory_unlock($1)", looking) { Parameters = { new() { Value = WatchSla.Turn } } };
        await release.ExecuteNonQueryAsync();
        await ViolationsAsync(provider, listing, 1);
    }

    [Fact]
    public async Task They_are_read_page_by_page()
    {
        using var shop = await Shop.OpenAsync(marketplace, ProviderScripts.Fail(500));
        await shop.ChatAsync();
        using var provider = marketplace.Service.ClientWith(marketplace.Identity.Token(shop.Listing.OrganisationId, "acme", [Roles.Provider]));
        var all = await ViolationsAsync(provider, shop.Listing, 2);

        var first = await PageAsync(provider, $"?listingId={shop.Listing.ListingId}&limit=1");
        var second = await PageAsync(provider, $"?listingId={shop.Listing.ListingId}&limit=1&cursor={first.Text("nextCursor")}");

        Assert.Equal(all.Select(one => one.Text("violationId")), new[] { first, second }.Select(page => Assert.Single(page.GetProperty("items").EnumerateArray()).Text("violationId")));
        Assert.Null(second.Text("nextCursor"));
        Assert.Equal((400, "invalid_cursor"), await (await provider.GetAsync("/api/v1/sla/violations?cursor=x")).ProblemAsync());
    }

    [Fact]
    public async Task A_slow_answer_starts_one_a_slower_one_makes_it_worse_and_when_both_are_past_it_ends_each_told_once_by_several_instances()
    {
        await using var another = await marketplace.StartInstanceAsync(builder => builder.AddConsumption());
        var listing = await marketplace.AddServiceAsync();
        await WriteAsync(listing, 1_500);
        await EventsAsync(listing, 1);

        await WriteAsync(listing, 2_500.5);
        await EventsAsync(listing, 2);
        await WriteAsync(listing, 3_000); // Worse, and as severe: nothing to tell.
        await Until.TrueAsync(async () => await WorstAsync(listing) == 3_000m);
        await ExecuteAsync("UPDATE sla_intervals SET start = start - interval '1 hour' WHERE listing_id = $1", listing.ListingId);
        var told = await EventsAsync(listing, 3);

        Assert.Equal(["1 latency 1000 1500 major ", "2 latency 1000 2500.5 critical ", "3 latency 1000 3000 critical ended"], told.Select(one => $"{one.GetProperty("revision").GetInt32()} {Described(one)} {(one.Text("endedAt") is null ? "" : "ended")}"));
        Assert.Single(told.Select(one => one.Text("violationId")).Distinct());
    }

    [Fact]
    public async Task One_that_has_ended_starts_anew_as_another_one()
    {
        var listing = await marketplace.AddServiceAsync();
        await WriteAsync(listing, 1_500);
        await EventsAsync(listing, 1);
        await ExecuteAsync("UPDATE sla_intervals SET start = start - interval '1 hour' WHERE listing_id = $1", listing.ListingId);
        await EventsAsync(listing, 2);

        await WriteAsync(listing, 1_200);

        Assert.Equal(2, (await EventsAsync(listing, 3)).Select(one => one.Text("violationId")).Distinct().Count());
    }

    [Fact]
    public async Task A_call_counts_once_however_often_its_record_is_written_and_a_lost_one_when_its_outcome_comes()
    {
        var listing = Guid.CreateVersion7();
        var version = Guid.CreateVersion7();
        var failed = Calls.Record(listing, version, RequestOutcome.Failed, 503, [new Attempt(503, null, 1)]);
        var lost = Calls.Record(listing, version, RequestOutcome.Lost, 0, []);
        var late = new UsageBatch([Late(lost)], [], [], null);

        await Store.WriteAsync(new UsageBatch([failed, lost], [], [], null), CancellationToken.None);
        await Store.WriteAsync(new UsageBatch([failed], [], [], null), CancellationToken.None);
        Assert.Equal((1, 1), await DayAsync(version));
        await Store.WriteAsync(late, CancellationToken.None);
        await Store.WriteAsync(late, CancellationToken.None);

        Assert.Equal((2, 1), await DayAsync(version));
    }

    [Fact]
    public async Task Many_who_write_at_once_come_to_the_exact_sum()
    {
        var (listing, versions) = (Guid.CreateVersion7(), Enumerable.Range(0, 4).Select(_ => Guid.CreateVersion7()).ToArray());

        await Task.WhenAll(Enumerable.Range(0, 8).Select(async _ =>
        {
            for (var batch = 0; batch < 10; batch++)
            {
                var records = versions.Select(version => Calls.Record(listing, version, RequestOutcome.Failed, 503, [new Attempt(503, null, 1)])).OrderBy(_ => Random.Shared.Next()).ToList();
                await Store.WriteAsync(new UsageBatch(records, [], [], null), CancellationToken.None);
            }
        }));

        foreach (var version in versions)
        {
            Assert.Equal((80, 80), await DayAsync(version));
        }
    }

    private static UsageRecord Late(UsageRecord lost) => new()
    {
        RequestId = lost.RequestId, OrganisationId = lost.OrganisationId, KeyId = lost.KeyId, ListingId = lost.ListingId, VersionId = lost.VersionId, ProviderOrganisationId = lost.ProviderOrganisationId,
        Service = lost.Service, Operation = lost.Operation, Outcome = RequestOutcome.Completed, StatusCode = 200, InputTokens = 0, CachedInputTokens = 0, OutputTokens = 0, UsageCounted = false, Cost = 0,
        Currency = "USD", Nanos = 0, Streamed = false, AdmittedAt = lost.AdmittedAt, SettledAt = lost.SettledAt, LatencyMs = 10, FirstByteMs = null, Day = lost.Day, Attempts = Answered,
    };

    private async Task WriteAsync(ListingChanged listing, double latencyMs) =>
        await Store.WriteAsync(new UsageBatch([Calls.Record(listing.ListingId, listing.Versions[0].VersionId, RequestOutcome.Completed, 200, Answered, latencyMs)], [], [], null), CancellationToken.None);

    private static string Described(JsonElement one) => $"{one.Text("metric")} {one.GetProperty("promised").GetDecimal():0.###} {one.GetProperty("observed").GetDecimal():0.###} {one.Text("severity")}";

    private static async Task<JsonElement> PageAsync(HttpClient client, string query) => await client.GetFromJsonAsync<JsonElement>("/api/v1/sla/violations" + query);

    private static async Task<JsonElement[]> ViolationsAsync(HttpClient client, ListingChanged listing, int count)
    {
        JsonElement[] found = [];
        await Until.TrueAsync(async () => (found = [.. (await PageAsync(client, $"?listingId={listing.ListingId}")).GetProperty("items").EnumerateArray()]).Length >= count);
        Assert.Equal(count, found.Length);
        return found;
    }

    /// <summary>The events of a listing, once there are as many; and no more.</summary>
    private async Task<List<JsonElement>> EventsAsync(ListingChanged listing, int count)
    {
        List<JsonElement> events = [];
        await Until.TrueAsync(async () => (events = await ReadEventsAsync(listing)).Count >= count);
        Assert.Equal(count, events.Count);
        return events;
    }

    private async Task<List<JsonElement>> ReadEventsAsync(ListingChanged listing)
    {
        await using var connection = new NpgsqlConnection(marketplace.Database.AppConnectionString);
        await connection.OpenAsync();
        await using var read = new NpgsqlCommand("SELECT data FROM messaging.outbox WHERE key = $1 AND type = $2 AND data ->> 'listingId' = $3 ORDER BY id", connection)
        {
            Parameters = { new() { Value = listing.OrganisationId }, new() { Value = ConsumptionEvents.SlaViolationChanged }, new() { Value = listing.ListingId.ToString() } },
        };
        var events = new List<JsonElement>();
        await using var reader = await read.ExecuteReaderAsync();
        while (await reader.ReadAsync())
        {
            events.Add(JsonElement.Parse(reader.GetString(0)));
        }

        return events;
    }

    private async Task<decimal> WorstAsync(ListingChanged listing)
    {
        await using var connection = new NpgsqlConnection(marketplace.Database.AppConnectionString);
        await connection.OpenAsync();
        await using var read = new NpgsqlCommand("SELECT max(observed) FROM sla_violations WHERE listing_id = $1", connection) { Parameters = { new() { Value = listing.ListingId } } };
        return (decimal)(await read.ExecuteScalarAsync())!;
    }

    private async Task<(long Calls, long Failures)> DayAsync(Guid version)
    {
        await using var connection = new NpgsqlConnection(marketplace.Database.AppConnectionString);
        await connection.OpenAsync();
        await using var read = new NpgsqlCommand("SELECT sum(calls)::bigint, sum(failures)::bigint FROM sla_days WHERE version_id = $1", connection) { Parameters = { new() { Value = version } } };
        await using var reader = await read.ExecuteReaderAsync();
        await reader.ReadAsync();
        return (reader.GetInt64(0), reader.GetInt64(1));
    }

    private async Task ExecuteAsync(string sql, Guid listing)
    {
        await using var connection = new NpgsqlConnection(marketplace.Database.AppConnectionString);
        await connection.OpenAsync();
        await using var command = new NpgsqlCommand(sql, connection) { Parameters = { new() { Value = listing } } };
        await command.ExecuteNonQueryAsync();
    }
}
