using LlmMarketplace.Consumption.Contracts;
using LlmMarketplace.Consumption.Limits;
using LlmMarketplace.Consumption.Metering;
using Microsoft.Extensions.DependencyInjection;
using Npgsql;
using Xunit;

namespace LlmMarketplace.Consumption.Tests.Metering;

/// <summary>What becomes of the calls of an instance that died.</summary>
public sealed class SweepLostTests(Marketplace marketplace)
{
    [Fact]
    public async Task A_call_that_is_told_after_its_instances_counters_were_built_gives_its_reservation_back_when_it_is_lost()
    {
        var member = await marketplace.AddOrganisationAsync();
        var key = await member.CreateKeyAsync(new { name = "test", budget = new { amount = 1, currency = "USD", period = "total" } });
        var services = marketplace.Service.App.Services;
        var counters = services.GetRequiredService<Counters>();
        var admission = Open(member.Id, key.Id, await counters.GenerationAsync(member.Id));
        await RegisterAsync(admission.InstanceId);

        // As its log's replay does, of an instance whose organisations are forgotten already; then somebody builds the counters.
        await services.GetRequiredService<UsageStore>().WriteAsync(new UsageBatch([], [admission], [], null), CancellationToken.None);
        await counters.RebuildAsync(member.Id, CancellationToken.None);
        Assert.Equal((1, 0.25m), await StandingAsync(key));
        await EndAsync(admission.InstanceId);

        Assert.Equal("lost", (await member.RecordAsync(admission.RequestId)).Text("outcome"));
        await Until.TrueAsync(async () => await StandingAsync(key) == (0, 0m));
    }

    [Fact]
    public async Task A_late_correction_counts_though_its_process_died_before_the_counters_were_built_anew()
    {
        var member = await marketplace.AddOrganisationAsync();
        var key = await member.CreateKeyAsync(new { name = "test", budget = new { amount = 1, currency = "USD", period = "total" } });
        var store = marketplace.Service.App.Services.GetRequiredService<UsageStore>();
        var admission = Open(member.Id, key.Id, generation: 0);
        await store.WriteAsync(new UsageBatch([Records.Of(admission, RequestOutcome.Lost)], [], [], null), CancellationToken.None);
        Assert.Equal((0, 0m), await StandingAsync(key));

        await store.WriteAsync(new UsageBatch([Records.Of(admission, output: 40, cost: 0.25m)], [], [], null), CancellationToken.None); // And nothing after it.

        await Until.TrueAsync(async () => await StandingAsync(key) == (0, 0.25m));
    }

    private static AdmissionRow Open(Guid organisation, Guid key, long generation) => new()
    {
        RequestId = Guid.CreateVersion7(),
        InstanceId = Guid.CreateVersion7(),
        OrganisationId = organisation,
        Generation = generation,
        KeyId = key,
        ListingId = Guid.CreateVersion7(),
        VersionId = Guid.CreateVersion7(),
        ProviderOrganisationId = Guid.CreateVersion7(),
        Service = "acme/gone",
        Operation = "chat.completions",
        Streamed = false,
        AdmittedAt = TimeProvider.System.GetUtcNow(),
        Day = Periods.Day(TimeProvider.System.GetUtcNow()),
        ReservedTokens = 100,
        ReservedNanos = 250_000_000,
        Currency = "USD",
        MicrosecondsPerToken = 1,
    };

    /// <summary>An instance that is not heard of.</summary>
    private Task RegisterAsync(Guid instance) => ExecuteAsync("INSERT INTO instances (instance_id, name, started_at, seen_at) VALUES ($1, 'dead', clock_timestamp(), clock_timestamp())", instance);

    private Task EndAsync(Guid instance) => ExecuteAsync("UPDATE instances SET ended_at = clock_timestamp() WHERE instance_id = $1", instance);

    private async Task ExecuteAsync(string change, Guid instance)
    {
        await using var database = NpgsqlDataSource.Create(marketplace.Database.SuperuserConnectionString);
        await using var command = database.CreateCommand(change);
        command.Parameters.Add(new NpgsqlParameter { Value = instance });
        await command.ExecuteNonQueryAsync();
    }

    private static async Task<(long Open, decimal Spent)> StandingAsync(CreatedKey key)
    {
        using var client = key.Client();
        var shown = (await (await client.GetAsync("/v1/key")).JsonAsync()).GetProperty("key");
        return (shown.GetProperty("open_calls").GetInt64(), shown.GetProperty("budget").GetProperty("spent").GetDecimal());
    }
}
