using Npgsql;

namespace LlmMarketplace.Storage;

/// <summary>
/// One table that every instance keeps in memory: read whole at start, then followed by <c>LISTEN</c> and a look every 500 ms.
/// The table carries <c>changed_in xid8</c>, set by a trigger, so that a change committed late is never missed;
/// rows are marked deleted, never removed.
/// </summary>
/// <typeparam name="TRow">A row in memory.</typeparam>
public abstract class TableMirror<TRow>
{
    /// <summary>The table, with its schema when that is not <c>public</c>.</summary>
    public abstract string Table { get; }

    /// <summary>The columns to read, as in a SELECT list.</summary>
    public abstract string Columns { get; }

    /// <summary>Reads one row.</summary>
    public abstract TRow Read(NpgsqlDataReader reader);

    /// <summary>Takes rows that are new or changed (a row may come again unchanged). Called by one thread at a time; the first call has the whole table.</summary>
    public abstract void Apply(IReadOnlyList<TRow> changed);
}
