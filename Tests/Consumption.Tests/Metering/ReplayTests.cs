using System.Buffers;
using System.Text.Json;
using LlmMarketplace.Consumption.Contracts;
using LlmMarketplace.Consumption.Metering;
using LlmMarketplace.Consumption.Metering.UsageLog;
using LlmMarketplace.Servers;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;
using Npgsql;
using Xunit;

namespace LlmMarketplace.Consumption.Tests.Metering;

/// <summary>What becomes of the calls of a process that died, in the records and in the events.</summary>
public sealed class ReplayTests(Marketplace marketplace) : IDisposable
{
    private readonly TestDirectory directory = new("usage-logs");
    private readonly Guid organisation = Guid.CreateVersion7();

    private UsageStore Store => marketplace.Service.App.Services.GetRequiredService<UsageStore>();

    [Fact]
    public async Task What_a_dead_process_left_is_shipped_once_and_its_open_calls_are_lost()
    {
        var dead = await DeadInstanceAsync();
        var calls = Enumerable.Range(0, 3).Select(_ => Records.Admission(organisation, dead)).ToArray();
        using (var folder = LogFolder.New(directory.Path, TimeProvider.System))
        {
            await RegisterAsync(dead, folder.Id);
            using var log = new LogWriter(folder.Path, folder.Id, 0, new LogSize(64 * 1024, 8), NullLogger.Instance);
            foreach (var call in calls)
            {
                Append(log, EntryKind.Intent, buffer => buffer.Write(call));
            }

            await log.SyncAsync(Append(log, EntryKind.Outcome, buffer => buffer.Write(Records.Of(calls[0], output: 5, cost: 0.25m))));
            await Store.WriteAsync(new UsageBatch([Records.Of(calls[1], RequestOutcome.Failed)], [], [], null), CancellationToken.None); // Shipped, and then it died before it knew.
            Append(log, EntryKind.Outcome, buffer => buffer.Write(Records.Of(calls[1], RequestOutcome.Failed)));
        }

        await using (await marketplace.StartInstanceAsync(settings: new KeyValuePair<string, string?>("Metering:LogDirectory", directory.Path)))
        {
            await Until.TrueAsync(async () => (await RecordsAsync()).Count == 3);
        }

        await using (await marketplace.StartInstanceAsync(settings: new KeyValuePair<string, string?>("Metering:LogDirectory", directory.Path)))
        {
            var records = await RecordsAsync();
            Assert.Equal([RequestOutcome.Completed, RequestOutcome.Failed, RequestOutcome.Lost], calls.Select(call => records[call.RequestId].Outcome));
            Assert.All(records.Values, record => Assert.Equal(("zoë@example.org", "acme/größe@1.2.0", "sökning"), (record.EndUser, record.Model, record.Tags["team"])));
            Assert.Equal([0.25m, 0, 0], calls.Select(call => records[call.RequestId].Cost));
            foreach (var call in calls)
            {
                Assert.Single(await EventsAsync(call.RequestId));
            }

            Assert.Equal(0, await OpenAsync());
        }
    }

    [Fact]
    public async Task A_record_that_the_database_would_not_take_holds_up_none()
    {
        var (good, bad) = (Records.Admission(organisation, Guid.CreateVersion7()), Records.Admission(organisation, Guid.CreateVersion7()));
        const string Told = """{"prompt_tokens":3,"total_tokens":1e200000}""";

        await Store.WriteAsync(new UsageBatch([Records.Of(good, cost: 0.25m, told: """{"prompt_tokens":3}"""), Records.Of(bad, cost: 0.5m, told: Told)], [], [], null), CancellationToken.None);

        var records = await RecordsAsync();
        Assert.Equal([0.25m, 0.5m], [records[good.RequestId].Cost, records[bad.RequestId].Cost]);
        Assert.Equal(Told, JsonDocument.Parse(records[bad.RequestId].ProviderUsage!).RootElement.GetString());
        Assert.Single(await EventsAsync(bad.RequestId));
    }

    [Fact]
    public async Task An_outcome_that_comes_after_its_call_was_given_up_corrects_the_record_and_keeps_what_it_said()
    {
        var call = Records.Admission(organisation, Guid.CreateVersion7());
        await Store.WriteAsync(new UsageBatch([Records.Of(call, RequestOutcome.Lost)], [], [], null), CancellationToken.None);
        UsageBatch late = new([Records.Of(call, output: 40, cost: 1.5m)], [], [], null);

        Assert.Equal([organisation], await Store.WriteAsync(late, CancellationToken.None));
        Assert.Empty(await Store.WriteAsync(late, CancellationToken.None));
        Assert.Empty(await Store.WriteAsync(new UsageBatch([Records.Of(call, RequestOutcome.Lost)], [], [], null), CancellationToken.None));

        var record = Assert.Single(await RecordsAsync()).Value;
        Assert.Equal((RequestOutcome.Completed, 1.5m, 2), (record.Outcome, record.Cost, record.Revision));
        Assert.Equal([ConsumptionEvents.RequestSettled, ConsumptionEvents.RequestCorrected], await EventsAsync(call.RequestId));
        await using var scope = marketplace.Service.App.Services.CreateAsyncScope();
        var kept = await scope.ServiceProvider.GetRequiredService<ConsumptionDb>().Set<UsageCorrection>().SingleAsync(correction => correction.RequestId == call.RequestId);
        Assert.Contains("\"Lost\"", kept.Before, StringComparison.Ordinal);
    }

    private async Task<Guid> DeadInstanceAsync()
    {
        var instance = Guid.CreateVersion7();
        await ExecuteAsync("INSERT INTO instances (instance_id, name, started_at, seen_at) VALUES ($1, 'dead', now(), now())", instance);
        return instance;
    }

    private Task RegisterAsync(Guid instance, Guid log) => ExecuteAsync("INSERT INTO instance_logs (instance_id, log_id) VALUES ($1, $2)", instance, log);

    private async Task<Dictionary<Guid, UsageRecord>> RecordsAsync()
    {
        await using var scope = marketplace.Service.App.Services.CreateAsyncScope();
        return await scope.ServiceProvider.GetRequiredService<ConsumptionDb>().Set<UsageRecord>().AsNoTracking().Where(record => record.OrganisationId == organisation).ToDictionaryAsync(record => record.RequestId);
    }

    private async Task<long> OpenAsync()
    {
        await using var scope = marketplace.Service.App.Services.CreateAsyncScope();
        return await scope.ServiceProvider.GetRequiredService<ConsumptionDb>().Set<AdmissionRow>().LongCountAsync(row => row.OrganisationId == organisation);
    }

    private async Task<List<string>> EventsAsync(Guid call)
    {
        await using var connection = new NpgsqlConnection(marketplace.Database.AppConnectionString);
        await connection.OpenAsync();
        await using var read = new NpgsqlCommand("SELECT type FROM messaging.outbox WHERE key = $1 ORDER BY aggregate_version", connection) { Parameters = { new() { Value = call } } };
        var types = new List<string>();
        await using var reader = await read.ExecuteReaderAsync();
        while (await reader.ReadAsync())
        {
            types.Add(reader.GetString(0));
        }

        return types;
    }

    private async Task ExecuteAsync(string sql, params object[] values)
    {
        await using var connection = new NpgsqlConnection(marketplace.Database.AppConnectionString);
        await connection.OpenAsync();
        await using var command = new NpgsqlCommand(sql, connection);
        command.Parameters.AddRange(values.Select(value => new NpgsqlParameter { Value = value }).ToArray());
        await command.ExecuteNonQueryAsync();
    }

    private static long Append(LogWriter log, EntryKind kind, Action<ArrayBufferWriter<byte>> write)
    {
        var buffer = new ArrayBufferWriter<byte>();
        write(buffer);
        return log.Append(kind, buffer.WrittenSpan);
    }

    public void Dispose() => directory.Dispose();
}
