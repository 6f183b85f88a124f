using System.Collections.Concurrent;
using System.Threading.Channels;
using LlmMarketplace.Consumption.Calls;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Npgsql;

namespace LlmMarketplace.Consumption.StoredResponses;

/// <summary>
/// Remembers in PostgreSQL where responses are kept: many by one statement, before their callers have the last bytes. A database that is away does not hold calls up: after
/// <see cref="Patience"/> the answer goes out, and this instance remembers until the database is back.
/// </summary>
internal sealed partial class KeepResponses(NpgsqlDataSource database, TimeProvider time, ILogger<KeepResponses> logger) : BackgroundService
{
    private const int MaxBatch = 500;
    private const int MaxWaiting = 100_000;
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan FirstPause = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan LongestPause = TimeSpan.FromSeconds(5);

    private readonly Channel<Waiting> queue = Channel.CreateBounded<Waiting>(new BoundedChannelOptions(MaxWaiting) { SingleReader = true });
    private readonly ConcurrentDictionary<(Guid Organisation, string Response), StoredResponse> unwritten = new();
    private List<Waiting> batch = [];

    /// <summary>Remembers where the response to a call is kept; nothing when the caller wanted it not to be.</summary>
    /// <param name="call">The call, answered by the provider.</param>
    /// <param name="id">The response's id.</param>
    public async Task KeepAsync(Call call, string id)
    {
        if (!call.Request!.Store || call.Attempts is not [.., { Endpoint: { } endpoint } attempt])
        {
            return;
        }

        var version = call.Plan!.Version;
        var kept = new StoredResponse
        {
            OrganisationId = call.Organisation!.Id,
            ResponseId = id,
            ListingId = version.Listing.Id,
            VersionId = version.Id,
            Endpoint = endpoint,
            Credential = attempt.Credential,
            CreatedAt = time.GetUtcNow(),
        };
        var waiting = new Waiting(kept, new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously));
        unwritten[(kept.OrganisationId, id)] = kept;
        if (!queue.Writer.TryWrite(waiting))
        {
            unwritten.TryRemove((kept.OrganisationId, id), out _);
            Log.Full(logger, id);
            return;
        }

        try
        {
            await waiting.Done.Task.WaitAsync(Patience, time);
        }
        catch (TimeoutException)
        {
            // It is written as soon as it can be.
        }
    }

    /// <summary>Where an organisation's response is kept; null when it has none of that id.</summary>
    /// <exception cref="NpgsqlException">The database is away.</exception>
    public async Task<StoredResponse?> FindAsync(Guid organisation, string id, CancellationToken cancellationToken)
    {
        if (unwritten.TryGetValue((organisation, id), out var known))
        {
            return known;
        }

        await using var find = database.CreateCommand("SELECT listing_id, version_id, endpoint, created_at, credential FROM stored_responses WHERE organisation_id = $1 AND response_id = $2");
        find.Parameters.Add(new NpgsqlParameter { Value = organisation });
        find.Parameters.Add(new NpgsqlParameter { Value = id });
        await using var reader = await find.ExecuteReaderAsync(cancellationToken);
        return !await reader.ReadAsync(cancellationToken) ? null : new StoredResponse
        {
            OrganisationId = organisation,
            ResponseId = id,
            ListingId = reader.GetGuid(0),
            VersionId = reader.GetGuid(1),
            Endpoint = reader.GetString(2),
            CreatedAt = reader.GetFieldValue<DateTimeOffset>(3),
            Credential = await reader.IsDBNullAsync(4, cancellationToken) ? null : reader.GetString(4),
        };
    }

    /// <summary>Forgets a response that its provider deleted.</summary>
    public async Task ForgetAsync(StoredResponse response, CancellationToken cancellationToken)
    {
        await using var delete = database.CreateCommand("DELETE FROM stored_responses WHERE organisation_id = $1 AND response_id = $2");
        delete.Parameters.Add(new NpgsqlParameter { Value = response.OrganisationId });
        delete.Parameters.Add(new NpgsqlParameter { Value = response.ResponseId });
        try
        {
            await delete.ExecuteNonQueryAsync(cancellationToken);
        }
        catch (Exception away) when (away is NpgsqlException or TimeoutException)
        {
            Log.Later(logger, away); // The provider has it no more, and says so to whoever asks.
        }
    }

    public override async Task StopAsync(CancellationToken cancellationToken)
    {
        queue.Writer.TryComplete();
        await base.StopAsync(cancellationToken);
        try
        {
            while (TryFill())
            {
                await WriteAsync(cancellationToken);
            }
        }
        catch (Exception away) when (away is NpgsqlException or TimeoutException or OperationCanceledException)
        {
            Log.Forgotten(logger, batch.Count + queue.Reader.Count, away);
        }
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        var pause = FirstPause;
        while (!stoppingToken.IsCancellationRequested)
        {
            try
            {
                if (!TryFill() && !await queue.Reader.WaitToReadAsync(stoppingToken))
                {
                    return;
                }

                if (TryFill())
                {
                    await WriteAsync(stoppingToken);
                    pause = FirstPause;
                }
            }
            catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
            {
                return;
            }
            catch (Exception away) when (away is NpgsqlException or TimeoutException)
            {
                Log.Later(logger, away);
                await Task.Delay(pause, time, stoppingToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
                pause = pause * 2 < LongestPause ? pause * 2 : LongestPause;
            }
        }
    }

    /// <summary>Fills the batch, unless the last one is still to be written. False: there is nothing to write.</summary>
    private bool TryFill()
    {
        while (batch.Count < MaxBatch && queue.Reader.TryRead(out var waiting))
        {
            batch.Add(waiting);
        }

        return batch.Count > 0;
    }

    private async Task WriteAsync(CancellationToken cancellationToken)
    {
        // Whoever has an id first keeps it: no provider can take over the address of another's response.
        await using var insert = database.CreateCommand(
            """
            INSERT INTO stored_responses (organisation_id, response_id, listing_id, version_id, endpoint, created_at, credential)
            SELECT * FROM unnest($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING
            """);
        Add(insert, row => row.OrganisationId);
        Add(insert, row => row.ResponseId);
        Add(insert, row => row.ListingId);
        Add(insert, row => row.VersionId);
        Add(insert, row => row.Endpoint);
        Add(insert, row => row.CreatedAt);
        Add(insert, row => row.Credential);
        await insert.ExecuteNonQueryAsync(cancellationToken);
        foreach (var (row, done) in batch)
        {
            unwritten.TryRemove((row.OrganisationId, row.ResponseId), out _);
            done.TrySetResult();
        }

        batch = [];
    }

    private void Add<T>(NpgsqlCommand command, Func<StoredResponse, T> value) =>
        command.Parameters.Add(new NpgsqlParameter { Value = batch.Select(waiting => value(waiting.Response)).ToArray() });

    private sealed record Waiting(StoredResponse Response, TaskCompletionSource Done);

    private static partial class Log
    {
        [LoggerMessage(5221, LogLevel.Warning, "Where responses are kept could not be written or deleted now.")]
        public static partial void Later(ILogger logger, Exception away);

        [LoggerMessage(5222, LogLevel.Error, "The response {Response} cannot be asked for: too many wait to be remembered.")]
        public static partial void Full(ILogger logger, string response);

        [LoggerMessage(5223, LogLevel.Error, "{Count} responses cannot be asked for any more: the database was away until this instance ended.")]
        public static partial void Forgotten(ILogger logger, int count, Exception away);
    }
}
