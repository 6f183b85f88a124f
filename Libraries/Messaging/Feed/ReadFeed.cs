using System.Buffers;
using System.Text;
using System.Text.Json;
using LlmMarketplace.ApiConventions;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Options;
using Npgsql;

namespace LlmMarketplace.Messaging.Feed;

/// <summary>
/// <c>GET /internal/events?topic=&amp;after=&amp;limit=&amp;wait=</c>: the events of a topic after a sequence, as a CloudEvents JSON batch; waits up to <c>wait</c> seconds (at most 30)
/// when there is none yet. The outbox is the log: nothing is consumed by reading, any follower may begin anywhere.
/// </summary>
internal static class ReadFeed
{
    private const int MaxLimit = 500;
    private const int MaxBytes = 4 * 1024 * 1024; // unless a single event is larger

    public static void MapFeed(this IEndpointRouteBuilder app) =>
        app.MapGet("/internal/events", HandleAsync).RequireAuthorization(MarketplacePolicies.Internal).ExcludeFromDescription();

    private static async Task<Results<FileContentHttpResult, ProblemHttpResult>> HandleAsync(
        string topic,
        NpgsqlDataSource database,
        FeedSignal signal,
        ServiceIdentity service,
        IOptions<MessagingOptions> options,
        TimeProvider time,
        IHostApplicationLifetime lifetime,
        CancellationToken aborted,
        long after = 0,
        int limit = 100,
        double wait = 0)
    {
        using var ends = CancellationTokenSource.CreateLinkedTokenSource(aborted, lifetime.ApplicationStopping);
        var deadline = time.GetUtcNow() + TimeSpan.FromSeconds(Math.Clamp(wait, 0, 30));
        limit = Math.Clamp(limit, 1, MaxLimit);
        var batch = new ArrayBufferWriter<byte>();
        for (var first = true; ; first = false)
        {
            var next = signal.Next;
            if (await ReadAsync(database, service.Name, topic, after, limit, batch, aborted).ConfigureAwait(false))
            {
                break;
            }

            if (first && !await ExistsAsync(database, topic, aborted).ConfigureAwait(false))
            {
                return Problems.Of(StatusCodes.Status404NotFound, "unknown_topic", $"{service.Name} has no topic {topic}, or has not started to relay it yet.");
            }

            var left = deadline - time.GetUtcNow();
            if (left <= TimeSpan.Zero || ends.IsCancellationRequested)
            {
                break;
            }

            var net = Task.Delay(left < options.Value.PollInterval ? left : options.Value.PollInterval, time, ends.Token);
            await Task.WhenAny(next, net).ConfigureAwait(false);
        }

        return TypedResults.Bytes(batch.WrittenMemory.ToArray(), CloudEventJson.BatchContentType);
    }

    private static async Task<bool> ReadAsync(NpgsqlDataSource database, string service, string topic, long after, int limit, ArrayBufferWriter<byte> batch, CancellationToken cancellationToken)
    {
        batch.ResetWrittenCount();
        await using var command = database.CreateCommand(
            "SELECT id, type, key, time, aggregate_version, sequence, traceparent, data FROM messaging.outbox WHERE topic = $1 AND sequence > $2 ORDER BY sequence LIMIT $3");
        command.Parameters.Add(new() { Value = topic });
        command.Parameters.Add(new() { Value = after });
        command.Parameters.Add(new() { Value = limit });
        await using var rows = await command.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false);
        await using var json = new Utf8JsonWriter(batch);
        json.WriteStartArray();
        var any = false;
        while (batch.WrittenCount + json.BytesPending < MaxBytes && await rows.ReadAsync(cancellationToken).ConfigureAwait(false))
        {
            any = true;
            CloudEventJson.Write(json, service, ReadRow(rows));
        }

        json.WriteEndArray();
        return any;
    }

    /// <summary>Reads the columns id, type, key, time, aggregate_version, sequence, traceparent, data.</summary>
    internal static Envelope ReadRow(NpgsqlDataReader row) => new(
        row.GetGuid(0),
        row.GetString(1),
        row.GetGuid(2),
        row.GetFieldValue<DateTimeOffset>(3),
        row.GetInt64(4),
        row.GetInt64(5),
        row.IsDBNull(6) ? null : row.GetString(6),
        Encoding.UTF8.GetBytes(row.GetString(7)));

    private static async Task<bool> ExistsAsync(NpgsqlDataSource database, string topic, CancellationToken cancellationToken)
    {
        await using var command = database.CreateCommand("SELECT EXISTS (SELECT FROM messaging.topics WHERE topic = $1)");
        command.Parameters.Add(new() { Value = topic });
        return await command.ExecuteScalarAsync(cancellationToken).ConfigureAwait(false) is true;
    }
}
