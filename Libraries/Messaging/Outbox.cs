using System.Collections.Frozen;
using System.Diagnostics;
using System.Text;
using System.Text.Json;
using LlmMarketplace.ApiConventions;
using LlmMarketplace.Messaging.Publishing;
using Microsoft.EntityFrameworkCore;
using Npgsql;
using NpgsqlTypes;

namespace LlmMarketplace.Messaging;

/// <summary>Adds events to the change that they tell of. Nothing is sent here: the relay does that after the commit.</summary>
public sealed class Outbox
{
    /// <summary>The most bytes of JSON that an event may have.</summary>
    public const int MaxBytes = 8 * 1024 * 1024;

    private readonly FrozenDictionary<Type, PublishedEvent> published;
    private readonly TimeProvider time;
    private readonly MonotonicIds ids;

    internal Outbox(IEnumerable<PublishedEvent> published, TimeProvider time)
    {
        this.published = published.ToFrozenDictionary(declared => declared.Event);
        this.time = time;
        ids = new MonotonicIds(time);
    }

    /// <summary>Adds an event to <paramref name="context"/>; it is stored by the context's own <c>SaveChanges</c>, with the change or not at all.</summary>
    /// <param name="context">The service's context, whose model has <see cref="MessagingService.AddOutbox"/>.</param>
    /// <param name="key">The aggregate's id: events of one key stay in order.</param>
    /// <param name="aggregateVersion">The aggregate's version after the change, growing by every change; consumers drop what is older than what they have.</param>
    /// <param name="data">Full state of the aggregate.</param>
    /// <exception cref="InvalidOperationException">The type was not declared by <see cref="MessagingBuilder{TContext}.Publishes{TEvent}"/>, or the event is larger than <see cref="MaxBytes"/>.</exception>
    public void Add<TEvent>(DbContext context, Guid key, long aggregateVersion, TEvent data)
        where TEvent : class
    {
        ArgumentNullException.ThrowIfNull(context);
        context.Add(Row(key, aggregateVersion, data));
    }

    /// <summary>The same for a change that is made without a context: a command for the batch that makes the change.</summary>
    /// <param name="key">The aggregate's id: events of one key stay in order.</param>
    /// <param name="aggregateVersion">The aggregate's version after the change.</param>
    /// <param name="data">Full state of the aggregate.</param>
    /// <exception cref="InvalidOperationException">As for <see cref="Add{TEvent}"/>.</exception>
    public NpgsqlBatchCommand Insert<TEvent>(Guid key, long aggregateVersion, TEvent data)
        where TEvent : class
    {
        var row = Row(key, aggregateVersion, data);
        return new NpgsqlBatchCommand(
            "INSERT INTO messaging.outbox (id, topic, key, aggregate_version, type, data, time, traceparent) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)")
        {
            Parameters =
            {
                new() { Value = row.Id },
                new() { Value = row.Topic },
                new() { Value = row.Key },
                new() { Value = row.AggregateVersion },
                new() { Value = row.Type },
                new() { Value = row.Data, NpgsqlDbType = NpgsqlDbType.Json },
                new() { Value = row.Time },
                new() { Value = (object?)row.Traceparent ?? DBNull.Value, NpgsqlDbType = NpgsqlDbType.Text },
            },
        };
    }

    /// <summary>The same for many, by COPY, in the transaction that <paramref name="connection"/> is in.</summary>
    /// <param name="connection">The connection that makes the change.</param>
    /// <param name="events">For each: the aggregate's id, its version after the change, and its full state.</param>
    /// <param name="cancellationToken">Cancels the copy; the transaction is void then.</param>
    /// <exception cref="InvalidOperationException">As for <see cref="Add{TEvent}"/>.</exception>
    public async Task CopyAsync<TEvent>(NpgsqlConnection connection, IReadOnlyList<(Guid Key, long AggregateVersion, TEvent Data)> events, CancellationToken cancellationToken)
        where TEvent : class
    {
        ArgumentNullException.ThrowIfNull(connection);
        ArgumentNullException.ThrowIfNull(events);
        if (events.Count == 0)
        {
            return;
        }

        var copy = await connection.BeginBinaryImportAsync(
            "COPY messaging.outbox (id, topic, key, aggregate_version, type, data, time, traceparent) FROM STDIN (FORMAT binary)", cancellationToken).ConfigureAwait(false);
        await using (copy.ConfigureAwait(false))
        {
            foreach (var (key, aggregateVersion, data) in events)
            {
                var row = Row(key, aggregateVersion, data);
                await copy.StartRowAsync(cancellationToken).ConfigureAwait(false);
                await copy.WriteAsync(row.Id, cancellationToken).ConfigureAwait(false);
                await copy.WriteAsync(row.Topic, cancellationToken).ConfigureAwait(false);
                await copy.WriteAsync(row.Key, cancellationToken).ConfigureAwait(false);
                await copy.WriteAsync(row.AggregateVersion, cancellationToken).ConfigureAwait(false);
                await copy.WriteAsync(row.Type, cancellationToken).ConfigureAwait(false);
                await copy.WriteAsync(row.Data, NpgsqlDbType.Json, cancellationToken).ConfigureAwait(false);
                await copy.WriteAsync(row.Time, cancellationToken).ConfigureAwait(false);
                await (row.Traceparent is { } trace ? copy.WriteAsync(trace, cancellationToken) : copy.WriteNullAsync(cancellationToken)).ConfigureAwait(false);
            }

            await copy.CompleteAsync(cancellationToken).ConfigureAwait(false);
        }
    }

    private OutboxRow Row<TEvent>(Guid key, long aggregateVersion, TEvent data)
    {
        if (!published.TryGetValue(typeof(TEvent), out var declared))
        {
            throw new InvalidOperationException($"{typeof(TEvent).Name} is not an event of this service: declare it with AddMessaging(…).Publishes<{typeof(TEvent).Name}>(topic, type).");
        }

        var json = JsonSerializer.Serialize(data, Json.Options);
        if (Encoding.UTF8.GetByteCount(json) > MaxBytes)
        {
            throw new InvalidOperationException($"An event of type {declared.Type} is larger than {MaxBytes} bytes: it could not be relayed.");
        }

        return new OutboxRow
        {
            Id = ids.Next(),
            Topic = declared.Topic,
            Key = key,
            AggregateVersion = aggregateVersion,
            Type = declared.Type,
            Data = json,
            Time = time.GetUtcNow(),
            Traceparent = Activity.Current is { IdFormat: ActivityIdFormat.W3C } current ? current.Id : null,
        };
    }
}

/// <summary>An event that waits for the relay. The relay's columns are none of the service's business.</summary>
internal sealed class OutboxRow
{
    public Guid Id { get; init; }

    public required string Topic { get; init; }

    public Guid Key { get; init; }

    public long AggregateVersion { get; init; }

    public required string Type { get; init; }

    public required string Data { get; init; }

    public DateTimeOffset Time { get; init; }

    public string? Traceparent { get; init; }
}
