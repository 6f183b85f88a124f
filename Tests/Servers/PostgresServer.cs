using System.Globalization;
using LlmMarketplace.Embedded;
using Npgsql;

namespace LlmMarketplace.Servers;

/// <summary>
/// The PostgreSQL of a test process, started by the first test that asks. Declare it once per test project with
/// <c>[assembly: AssemblyFixture(typeof(PostgresServer))]</c> and take it as a constructor parameter; it ends with the process, however that ends.
/// </summary>
public sealed class PostgresServer : IAsyncDisposable
{
    private static int databases;
    private readonly TestDirectory directory = new("postgres");
    private readonly Started<EmbeddedPostgres> server;
    private int port;

    /// <summary>Nothing is started yet.</summary>
    public PostgresServer() => server = new(() => EmbeddedPostgres.StartAsync(new() { Directory = directory.Path, Port = port, Durable = false, MaxConnections = 400 }));

    /// <summary>The server itself, for tests that look behind it.</summary>
    public Task<EmbeddedPostgres> StartAsync() => server.GetAsync();

    /// <summary>An empty database of its own, with an owner role for migrations and an application role as in production.</summary>
    /// <param name="name">Part of its name, for whoever reads logs.</param>
    public async Task<TestDatabase> CreateDatabaseAsync(string name = "test")
    {
        var postgres = await server.GetAsync();
        var unique = $"{name}_{Interlocked.Increment(ref databases).ToString(CultureInfo.InvariantCulture)}";
        var created = await postgres.CreateDatabaseAsync(unique, unique + "_owner", "owner", unique + "_app", "app");
        return new(unique, Patient(created.OwnerConnectionString), Patient(created.AppConnectionString), Patient(postgres.AdministratorConnectionString));
    }

    /// <summary>With time to connect on a machine that is busy with other things as well.</summary>
    private static string Patient(string connection) => new NpgsqlConnectionStringBuilder(connection) { Timeout = 60 }.ConnectionString;

    /// <summary>Ends the server as <c>kill -9</c> of its first process does, and starts it again on its data and port.</summary>
    public async Task KillAsync()
    {
        var running = await server.GetAsync();
        port = running.Port;
        using (var process = System.Diagnostics.Process.GetProcessById(running.ProcessId))
        {
            process.Kill();
        }

        await running.Exited;
        await server.DropAsync();
        await server.GetAsync();
    }

    /// <summary>Stops the server and removes its data.</summary>
    public async ValueTask DisposeAsync()
    {
        NpgsqlConnection.ClearAllPools();
        await server.DisposeAsync();
        directory.Dispose();
    }
}

/// <summary>One test's database; disposing of it drops it, connected or not.</summary>
/// <param name="Name">Unique within the test process.</param>
/// <param name="OwnerConnectionString">For migrations.</param>
/// <param name="AppConnectionString">What a service gets: a role that may only do what migrations grant it.</param>
/// <param name="AdministratorConnectionString">The server's superuser, database <c>postgres</c>.</param>
public sealed record TestDatabase(string Name, string OwnerConnectionString, string AppConnectionString, string AdministratorConnectionString) : IAsyncDisposable
{
    /// <summary>The superuser in this database: for looking and for breaking things.</summary>
    public string SuperuserConnectionString => new NpgsqlConnectionStringBuilder(AdministratorConnectionString) { Database = Name }.ConnectionString;

    /// <summary>Drops the database and cuts its connections.</summary>
    public async ValueTask DisposeAsync()
    {
        foreach (var used in new[] { OwnerConnectionString, AppConnectionString })
        {
            await using var connection = new NpgsqlConnection(used);
            NpgsqlConnection.ClearPool(connection);
        }

        await using var administrator = new NpgsqlConnection(AdministratorConnectionString);
        await administrator.OpenAsync();
        await using var drop = new NpgsqlCommand($"DROP DATABASE IF EXISTS \"{Name}\" WITH (FORCE)", administrator);
        await drop.ExecuteNonQueryAsync();
    }
}
