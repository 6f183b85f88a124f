using System.Globalization;
using Npgsql;

namespace LlmMarketplace.Publishing.Pipeline;

/// <summary>
/// Who works on which run. A lease lasts a few seconds by the database's clock and is renewed while somebody works; when its holder dies, the next one takes the
/// run up. The holder's changes carry the lease (optimistic concurrency), so a holder that was only slow cannot store anything afterwards.
/// </summary>
internal sealed class PipelineLeases(NpgsqlDataSource database, TimeProvider time)
{
    public static readonly TimeSpan Duration = TimeSpan.FromSeconds(5);

    private static readonly string Until = string.Create(CultureInfo.InvariantCulture, $"clock_timestamp() + interval '{Duration.TotalSeconds} seconds'");

    /// <summary>Takes the run that has been due the longest, or none.</summary>
    public async Task<ClaimedRun?> ClaimAsync(CancellationToken cancellationToken)
    {
        var lease = Guid.CreateVersion7();
        await using var command = database.CreateCommand(
            $"""
             UPDATE pipeline_runs SET lease = $1, leased_until = {Until} WHERE id = (
                 SELECT id FROM pipeline_runs
                 WHERE status IN ('running', 'compensating') AND due_at <= $2 AND (leased_until IS NULL OR leased_until < clock_timestamp())
                 ORDER BY due_at LIMIT 1 FOR UPDATE SKIP LOCKED)
             RETURNING id
             """);
        command.Parameters.Add(new() { Value = lease });
        command.Parameters.Add(new() { Value = time.GetUtcNow() });
        return await command.ExecuteScalarAsync(cancellationToken).ConfigureAwait(false) is Guid run ? new ClaimedRun(run, lease) : null;
    }

    /// <summary>Renews; false when somebody else has the run by now.</summary>
    public async Task<bool> RenewAsync(ClaimedRun run, CancellationToken cancellationToken)
    {
        await using var command = database.CreateCommand($"UPDATE pipeline_runs SET leased_until = {Until} WHERE id = $1 AND lease = $2");
        command.Parameters.Add(new() { Value = run.Id });
        command.Parameters.Add(new() { Value = run.Lease });
        return await command.ExecuteNonQueryAsync(cancellationToken).ConfigureAwait(false) == 1;
    }

    /// <summary>Gives the run back before the lease ends.</summary>
    public async Task ReleaseAsync(ClaimedRun run)
    {
        await using var command = database.CreateCommand("UPDATE pipeline_runs SET lease = NULL, leased_until = NULL WHERE id = $1 AND lease = $2");
        command.Parameters.Add(new() { Value = run.Id });
        command.Parameters.Add(new() { Value = run.Lease });
        await command.ExecuteNonQueryAsync().ConfigureAwait(false);
    }
}

/// <summary>A run and the lease under which it is worked on.</summary>
internal sealed record ClaimedRun(Guid Id, Guid Lease);
