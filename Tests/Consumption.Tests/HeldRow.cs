using Npgsql;
using Xunit;

namespace LlmMarketplace.Consumption.Tests;

/// <summary>An organisation's row of a table, locked for as long as this lives.</summary>
internal sealed class HeldRow : IAsyncDisposable
{
    private readonly NpgsqlDataSource database;
    private readonly NpgsqlConnection connection;
    private readonly NpgsqlTransaction transaction;

    private HeldRow(NpgsqlDataSource database, NpgsqlConnection connection, NpgsqlTransaction transaction) => (this.database, this.connection, this.transaction) = (database, connection, transaction);

    public static async Task<HeldRow> TakeAsync(Marketplace marketplace, string table, Guid organisation)
    {
        var database = NpgsqlDataSource.Create(marketplace.Database.SuperuserConnectionString);
        var connection = await database.OpenConnectionAsync();
        var held = new HeldRow(database, connection, await connection.BeginTransactionAsync());
        await held.ExecuteAsync($"SELECT 1 FROM {table} WHERE organisation_id = $1 FOR UPDATE", organisation);
        return held;
    }

    /// <summary>Ends when somebody waits for the row.</summary>
    public Task IsWaitedForAsync() => Until.TrueAsync(async () => await WaitersAsync("count(*)") > 0);

    /// <summary>Ends the connections of those who wait for the row.</summary>
    public async Task BreakOffWhoWaitsAsync() => Assert.Equal(1, await WaitersAsync("count(pg_terminate_backend(pid, 10000))"));

    public async Task ExecuteAsync(string sql, Guid organisation)
    {
        await using var command = new NpgsqlCommand(sql, connection) { Parameters = { new() { Value = organisation } } };
        await command.ExecuteNonQueryAsync();
    }

    /// <summary>Commits what was done, and lets go.</summary>
    public Task EndAsync() => transaction.CommitAsync();

    public async ValueTask DisposeAsync()
    {
        await transaction.DisposeAsync();
        await connection.DisposeAsync();
        await database.DisposeAsync();
    }

    private async Task<long> WaitersAsync(string what)
    {
        await using var command = database.CreateCommand($"SELECT {what} FROM pg_stat_activity WHERE $1 = ANY(pg_blocking_pids(pid))");
        command.Parameters.Add(new() { Value = connection.ProcessID });
        return (long)(await command.ExecuteScalarAsync())!;
    }
}
