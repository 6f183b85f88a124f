using System.Collections.Concurrent;
using Npgsql;

namespace LlmMarketplace.Consumption;

/// <summary>Keeps a table within its bounds: what is over goes, and of organisations that have had something more since, what is too much.</summary>
internal abstract class TidyStore(NpgsqlDataSource database, TimeProvider time) : RecurringWork(time)
{
    protected const int AtOnce = 1_000;
    private readonly ConcurrentDictionary<Guid, bool> touched = new();

    protected NpgsqlDataSource Database { get; } = database;

    protected override bool BeginsAtOnce => false;

    /// <summary>Deletes rows that are over, of which <c>$1</c> at the most.</summary>
    protected abstract string DeleteOver { get; }

    /// <summary>An organisation has one more.</summary>
    public void Touched(Guid organisation) => touched[organisation] = true;

    public override async Task RunAsync(CancellationToken cancellationToken)
    {
        await using var remove = Database.CreateCommand(DeleteOver);
        remove.Parameters.Add(new() { Value = AtOnce });
        while (await remove.ExecuteNonQueryAsync(cancellationToken) == AtOnce)
        {
            cancellationToken.ThrowIfCancellationRequested();
        }

        foreach (var organisation in touched.Keys)
        {
            touched.TryRemove(organisation, out _);
            try
            {
                await BoundAsync(organisation, cancellationToken);
            }
            catch
            {
                touched[organisation] = true;
                throw;
            }
        }
    }

    /// <summary>Removes what an organisation has too much of.</summary>
    protected abstract Task BoundAsync(Guid organisation, CancellationToken cancellationToken);
}
