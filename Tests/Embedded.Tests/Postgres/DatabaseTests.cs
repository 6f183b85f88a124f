using LlmMarketplace.Servers;
using Npgsql;
using Xunit;

namespace LlmMarketplace.Embedded.Tests.Postgres;

public sealed class DatabaseTests(PostgresServer server)
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Creating_a_database_twice_keeps_its_data_and_sets_the_passwords()
    {
        var postgres = await server.StartAsync();
        var first = await postgres.CreateDatabaseAsync("twice", "twice_owner", "one", "twice_app", "o'ne", Cancellation);
        await ExecuteAsync(first.OwnerConnectionString, "CREATE TABLE t (n int)");

        var second = await postgres.CreateDatabaseAsync("twice", "twice_owner", "two", "twice_app", "t'wo", Cancellation);
        await ExecuteAsync(second.OwnerConnectionString, "INSERT INTO t VALUES (1)");
        await ExecuteAsync(second.AppConnectionString, "SELECT 1");

        NpgsqlConnection.ClearAllPools();
        await Assert.ThrowsAsync<PostgresException>(() => ExecuteAsync(first.AppConnectionString, "SELECT 1"));
    }

    [Fact]
    public async Task The_application_role_cannot_change_the_schema_nor_enter_another_database()
    {
        await using var mine = await server.CreateDatabaseAsync("mine");
        await using var other = await server.CreateDatabaseAsync("other");
        var refused = await Assert.ThrowsAsync<PostgresException>(() => ExecuteAsync(mine.AppConnectionString, "CREATE TABLE t (n int)"));
        Assert.Equal(PostgresErrorCodes.InsufficientPrivilege, refused.SqlState);

        var elsewhere = new NpgsqlConnectionStringBuilder(mine.AppConnectionString) { Database = other.Name }.ConnectionString;
        var kept = await Assert.ThrowsAsync<PostgresException>(() => ExecuteAsync(elsewhere, "SELECT 1"));
        Assert.Equal(PostgresErrorCodes.InsufficientPrivilege, kept.SqlState);
    }

    [Fact]
    public async Task Text_search_and_case_folding_know_letters_beyond_ascii()
    {
        await using var database = await server.CreateDatabaseAsync("letters");
        Assert.Equal("ü", await ScalarAsync(database.AppConnectionString, "SELECT lower('Ü')"));
        Assert.Equal(true, await ScalarAsync(database.AppConnectionString, "SELECT to_tsvector('simple', 'ZÜRICH') @@ to_tsquery('simple', 'zürich')"));
    }

    [Fact]
    public async Task A_disposed_test_database_is_gone_although_it_was_in_use()
    {
        var database = await server.CreateDatabaseAsync("gone");
        await using var user = new NpgsqlConnection(database.AppConnectionString);
        await user.OpenAsync(Cancellation);
        await database.DisposeAsync();
        Assert.Null(await ScalarAsync(database.AdministratorConnectionString, $"SELECT datname FROM pg_database WHERE datname = '{database.Name}'"));
    }

    private static Task<object?> ExecuteAsync(string connectionString, string sql) => ScalarAsync(connectionString, sql);

    private static async Task<object?> ScalarAsync(string connectionString, string sql)
    {
        await using var connection = new NpgsqlConnection(connectionString);
        await connection.OpenAsync(Cancellation);
        await using var command = new NpgsqlCommand(sql, connection);
        return await command.ExecuteScalarAsync(Cancellation);
    }
}
