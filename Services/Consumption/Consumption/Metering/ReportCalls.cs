using Npgsql;

namespace LlmMarketplace.Consumption.Metering;

/// <summary>
/// This instance's part when an organisation's counters are built anew (see <see cref="Limits.Counters"/>): it admits nothing more by the old ones, and tells PostgreSQL its calls
/// without a record. Once the counters stand, what waited is settled. A process that goes on as another instance has the counters built anew of all organisations that it called for: until it is known to call for
/// them again nobody waits for what it tells, so counters that others built meanwhile may hold calls of its former life as open that it has settled.
/// </summary>
internal sealed class ReportCalls(NpgsqlDataSource database, OpenCalls calls, Limits.Counters counters, InstanceLease lease)
{
    // A pair that is noted while a generation is taken is not seen by the look that sees the generation.
    private const int LooksUntilSure = 10;
    private long seen = -1;
    private int looks;
    private Guid last;

    /// <exception cref="NotLeasedException">The instance is fenced.</exception>
    /// <param name="knownAsOpen">Gets the calls that are told: PostgreSQL knows them as open until their records come.</param>
    /// <param name="cancellationToken">Cancels it.</param>
    public async Task RunAsync(ISet<Guid> knownAsOpen, CancellationToken cancellationToken)
    {
        if (!lease.Leased)
        {
            return;
        }

        var instance = lease.InstanceId; // All of it is one instance's, though it may be fenced meanwhile.
        if (instance != last)
        {
            await GoOnAsync(instance, cancellationToken);
            last = instance;
        }

        await using var connection = await database.OpenConnectionAsync(cancellationToken);
        await using var newest = new NpgsqlCommand("SELECT coalesce(max(generation), 0) FROM counters", connection);
        var generation = (long)(await newest.ExecuteScalarAsync(cancellationToken))!;
        if (generation != seen || ++looks >= LooksUntilSure)
        {
            foreach (var (organisation, asked) in await AskedAsync(connection, instance, cancellationToken))
            {
                await ReportAsync(connection, instance, organisation, asked, knownAsOpen, cancellationToken);
            }

            (seen, looks) = (generation, 0);
        }

        await ReopenAsync(connection, cancellationToken);
    }

    private async Task GoOnAsync(Guid instance, CancellationToken cancellationToken)
    {
        var organisations = calls.Organisations;
        if (organisations.Count == 0)
        {
            return; // It has just started.
        }

        await InstanceOrganisation.NoteAsync(database, instance, organisations, cancellationToken);
        foreach (var organisation in organisations)
        {
            counters.RebuildSoon(organisation);
        }
    }

    private static async Task<List<(Guid Organisation, long Generation)>> AskedAsync(NpgsqlConnection connection, Guid instance, CancellationToken cancellationToken)
    {
        await using var asked = new NpgsqlCommand(
            "SELECT c.organisation_id, c.generation FROM instance_organisations i JOIN counters c USING (organisation_id) WHERE i.instance_id = $1 AND i.reported_generation < c.generation", connection)
        {
            Parameters = { new() { Value = instance } },
        };
        var found = new List<(Guid, long)>();
        await using var reader = await asked.ExecuteReaderAsync(cancellationToken);
        while (await reader.ReadAsync(cancellationToken))
        {
            found.Add((reader.GetGuid(0), reader.GetInt64(1)));
        }

        return found;
    }

    private async Task ReportAsync(NpgsqlConnection connection, Guid instance, Guid organisation, long generation, ISet<Guid> knownAsOpen, CancellationToken cancellationToken)
    {
        var open = calls.Close(organisation, generation);
        counters.Forget(organisation, generation - 1);
        knownAsOpen.UnionWith(open.Select(call => call.Admission.RequestId));
        await using var transaction = await connection.BeginTransactionAsync(cancellationToken);
        await using var batch = new NpgsqlBatch(connection);
        if (open.Count > 0)
        {
            var tell = new NpgsqlBatchCommand(AdmissionColumns.Insert(
                "ON CONFLICT (request_id) DO UPDATE SET generation = excluded.generation, reserved_tokens = excluded.reserved_tokens, reserved_nanos = excluded.reserved_nanos, settled = excluded.settled, claim = excluded.claim"));
            AdmissionColumns.AddTo(tell.Parameters, open);
            batch.BatchCommands.Add(tell);
        }

        batch.BatchCommands.Add(new("UPDATE instance_organisations SET reported_generation = $3 WHERE instance_id = $1 AND organisation_id = $2")
        {
            Parameters = { new() { Value = instance }, new() { Value = organisation }, new() { Value = generation } },
        });
        await batch.ExecuteNonQueryAsync(cancellationToken);
        await transaction.CommitAsync(cancellationToken);
    }

    private async Task ReopenAsync(NpgsqlConnection connection, CancellationToken cancellationToken)
    {
        var closed = calls.Closed();
        if (closed.Count == 0)
        {
            return;
        }

        await using var standing = new NpgsqlCommand("SELECT organisation_id, generation FROM counters WHERE organisation_id = ANY ($1) AND ready", connection)
        {
            Parameters = { new() { Value = closed.Select(pair => pair.Organisation).ToArray() } },
        };
        var ready = new Dictionary<Guid, long>();
        await using (var reader = await standing.ExecuteReaderAsync(cancellationToken))
        {
            while (await reader.ReadAsync(cancellationToken))
            {
                ready[reader.GetGuid(0)] = reader.GetInt64(1);
            }
        }

        foreach (var (organisation, generation) in ready)
        {
            calls.Reopen(organisation, generation);
        }
    }
}
