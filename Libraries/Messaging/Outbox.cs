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

    /// <summary>How long a client may stand still that holds a topic, as PostgreSQL writes it.</summary>
    private const string Patience = "10s";

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
    /// <returns>What was added, for whoever tells it by other ways too.</returns>
    /// <exception cref="InvalidOperationException">The type was not declared by <see cref="MessagingBuilder{TContext}.Publishes{TEvent}"/>, or the event is larger than <see cref="MaxBytes"/>.</exception>
    public EventMessage Add<TEvent>(DbContext context, Guid key, long aggregateVersion, TEvent data)
        where TEvent : class
    {
        ArgumentNullException.ThrowIfNull(context);
        var row = Row(key, aggregateVersion, data);
        context.Add(row);
        return new EventMessage(Declared<TEvent>().Service, row);
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
    /// <returns>What was added, in their order, for whoever tells it by other ways too.</returns>
    /// <exception cref="InvalidOperationException">As for <see cref="Add{TEvent}"/>.</exception>
    public async Task<IReadOnlyList<EventMessage>> CopyAsync<TEvent>(NpgsqlConnection connection, IReadOnlyList<(Guid Key, long AggregateVersion, TEvent Data)> events, CancellationToken cancellationToken)
        where TEvent : class
    {
        ArgumentNullException.ThrowIfNull(connection);
        ArgumentNullException.ThrowIfNull(events);
        var added = new List<EventMessage>(events.Count);
        if (events.Count > 0)
        {
            await CopyAsync(connection, events, before: null, added, cancellationToken).ConfigureAwait(false);
        }

        return added;
    }

    /// <summary>
    /// The same for very many: their places in the topic are taken at once, so that the relay has not to write every row a second time to number it. Whoever takes places of the topic waits for this transaction, so its places
    /// become visible in their order, and none is left empty: to be called last, just before the commit, and for one topic only. The server ends the transaction when its client does not go on with it.
    /// </summary>
    /// <param name="connection">The connection that makes the change.</param>
    /// <param name="events">As for <see cref="CopyAsync{TEvent}(NpgsqlConnection, IReadOnlyList{ValueTuple{Guid, long, TEvent}}, CancellationToken)"/>.</param>
    /// <param name="cancellationToken">Cancels the copy; the transaction is void then.</param>
    /// <exception cref="InvalidOperationException">As for <see cref="Add{TEvent}"/>.</exception>
    public async Task CopyLastAsync<TEvent>(NpgsqlConnection connection, IReadOnlyList<(Guid Key, long AggregateVersion, TEvent Data)> events, CancellationToken cancellationToken)
        where TEvent : class
    {
        ArgumentNullException.ThrowIfNull(connection);
        ArgumentNullException.ThrowIfNull(events);
        if (events.Count == 0)
        {
            return;
        }

        var last = await TakePlacesAsync(connection, Declared<TEvent>(), events.Count, cancellationToken).ConfigureAwait(false);
        await CopyAsync(connection, events, last - events.Count, added: null, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Takes the next places of a topic; gives the last of them.</summary>
    private static async Task<long> TakePlacesAsync(NpgsqlConnection connection, PublishedEvent declared, int count, CancellationToken cancellationToken)
    {
        var batch = new NpgsqlBatch(connection)
        {
            BatchCommands =
            {
                new($"SELECT set_config('idle_in_transaction_session_timeout', '{Patience}', true), set_config('statement_timeout', '{Patience}', true), pg_notify('{MessagingSchema.Sequenced}', '')"),
                new(
                    """
                    INSERT INTO messaging.topics AS t (topic, kind, last_sequence) VALUES ($1, $2, $3)
                    ON CONFLICT (topic) DO UPDATE SET last_sequence = t.last_sequence + excluded.last_sequence RETURNING last_sequence
                    """)
                {
                    Parameters = { new() { Value = declared.Topic }, new() { Value = declared.Kind.ToString() }, new() { Value = (long)count } },
                },
            },
        };
        await using (batch.ConfigureAwait(false))
        {
            var reader = await batch.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false);
            await using (reader.ConfigureAwait(false))
            {
                await reader.NextResultAsync(cancellationToken).ConfigureAwait(false);
                await reader.ReadAsync(cancellationToken).ConfigureAwait(false);
                return reader.GetInt64(0);
            }
        }
    }

    /// <param name="connection">In the transaction.</param>
    /// <param name="events">What is told.</param>
    /// <param name="before">The place before the first of them; null when the relay is to number them.</param>
    /// <param name="added">Takes what was added, if anybody wants it.</param>
    /// <param name="cancellationToken">Cancels it.</param>
    private async Task CopyAsync<TEvent>(
        NpgsqlConnection connection, IReadOnlyList<(Guid Key, long AggregateVersion, TEvent Data)> events, long? before, List<EventMessage>? added, CancellationToken cancellationToken)
    {
        var copy = await connection.BeginBinaryImportAsync(
            "COPY messaging.outbox (id, topic, key, aggregate_version, type, data, time, traceparent, sequence) FROM STDIN (FORMAT binary)", cancellationToken).ConfigureAwait(false);
        await using (copy.ConfigureAwait(false))
        {
            var place = before;
            foreach (var (key, aggregateVersion, data) in events)
            {
                var row = Row(key, aggregateVersion, data);
                added?.Add(new EventMessage(Declared<TEvent>().Service, row));
                await copy.StartRowAsync(cancellationToken).ConfigureAwait(false);
                await copy.WriteAsync(row.Id, cancellationToken).ConfigureAwait(false);
                await copy.WriteAsync(row.Topic, cancellationToken).ConfigureAwait(false);
                await copy.WriteAsync(row.Key, cancellationToken).ConfigureAwait(false);
                await copy.WriteAsync(row.AggregateVersion, cancellationToken).ConfigureAwait(false);
                await copy.WriteAsync(row.Type, cancellationToken).ConfigureAwait(false);
                await copy.WriteAsync(row.Data, NpgsqlDbType.Json, cancellationToken).ConfigureAwait(false);
                await copy.WriteAsync(row.Time, cancellationToken).ConfigureAwait(false);
                await (row.Traceparent is { } trace ? copy.WriteAsync(trace, cancellationToken) : copy.WriteNullAsync(cancellationToken)).ConfigureAwait(false);
                await (++place is { } taken ? copy.WriteAsync(taken, cancellationToken) : copy.WriteNullAsync(cancellationToken)).ConfigureAwait(false);
            }

            await copy.CompleteAsync(cancellationToken).ConfigureAwait(false);
        }
    }

    private OutboxRow Row<TEvent>(Guid key, long aggregateVersion, TEvent data)
    {
        var declared = Declared<TEvent>();
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

    private PublishedEvent Declared<TEvent>() => published.TryGetValue(typeof(TEvent), out var declared)
        ? declared
        : throw new InvalidOperationException($"{typeof(TEvent).Name} is not an event of this service: declare it with AddMessaging(…).Publishes<{typeof(TEvent).Name}>(topic, type).");
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
