using Npgsql;

namespace LlmMarketplace.Storage;

/// <summary>
/// One table that every instance keeps in memory: read whole at start, then followed by <c>LISTEN</c> and a look every 500 ms.
/// The table carries <c>changed_in xid8</c>, set by a trigger (<see cref="MirroredTables.CreateTrigger"/>), so that a change committed late is never missed;
/// rows are marked deleted, never removed. Register it with <see cref="MirroredTables.AddTableMirror{TMirror}"/>.
/// </summary>
public abstract class TableMirror
{
    private protected TableMirror()
    {
    }

    /// <summary>The table, with its schema when that is not <c>public</c>.</summary>
    public abstract string Table { get; }

    /// <summary>The columns to read, as in a SELECT list.</summary>
    public abstract string Columns { get; }

    /// <summary>Ends when the whole table was applied for the first time.</summary>
    public Task Warm => WarmSource.Task;

    internal TaskCompletionSource WarmSource { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>Reads the result at hand to its end; the action applies it.</summary>
    internal abstract Task<Action> ReadAsync(NpgsqlDataReader reader, bool whole, CancellationToken cancellationToken);
}

/// <inheritdoc/>
/// <typeparam name="TRow">A row in memory.</typeparam>
public abstract class TableMirror<TRow> : TableMirror
{
    /// <summary>Reads one row.</summary>
    public abstract TRow Read(NpgsqlDataReader reader);

    /// <summary>
    /// Takes rows that are new or changed (a row may come again unchanged). Called by one thread at a time; the first call has the whole table, be it empty,
    /// and so has the one after a lost connection.
    /// </summary>
    public abstract void Apply(IReadOnlyList<TRow> changed);

    internal override async Task<Action> ReadAsync(NpgsqlDataReader reader, bool whole, CancellationToken cancellationToken)
    {
        var rows = new List<TRow>();
        while (await reader.ReadAsync(cancellationToken).ConfigureAwait(false))
        {
            rows.Add(Read(reader));
        }

        return () =>
        {
            if (rows.Count > 0 || whole)
            {
                Apply(rows);
            }
        };
    }
}
