using System.Globalization;
using System.Net;
using System.Net.Sockets;
using LlmMarketplace.Servers;
using Npgsql;
using Xunit;

namespace LlmMarketplace.Embedded.Tests.Postgres;

public sealed class ClusterTests : IDisposable
{
    private readonly TestDirectory directory = new("cluster");

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_restart_keeps_the_data_and_the_password()
    {
        await using (var first = await EmbeddedPostgres.StartAsync(new() { Directory = directory.Path }, Cancellation))
        {
            await ExecuteAsync(first, "CREATE TABLE kept (n int); INSERT INTO kept VALUES (42)");
        }

        await using var second = await EmbeddedPostgres.StartAsync(new() { Directory = directory.Path }, Cancellation);
        Assert.Equal(42, await ScalarAsync(second, "SELECT n FROM kept"));
    }

    [Fact]
    public async Task It_stops_in_under_a_second()
    {
        var postgres = await StartAsync();
        var before = System.Diagnostics.Stopwatch.GetTimestamp();
        await postgres.DisposeAsync();
        Assert.InRange(System.Diagnostics.Stopwatch.GetElapsedTime(before), TimeSpan.Zero, TimeSpan.FromSeconds(1));
        Assert.False(Directory.Exists($"/proc/{postgres.ProcessId}"));
    }

    [Fact]
    public async Task It_listens_on_the_loopback_address_only_and_wants_a_password()
    {
        await using var postgres = await StartAsync();
        Assert.Equal("127.0.0.1", await ScalarAsync(postgres, "SHOW listen_addresses"));
        var wrong = new NpgsqlConnectionStringBuilder(postgres.AdministratorConnectionString) { Password = "guess" }.ConnectionString;
        await using var connection = new NpgsqlConnection(wrong);
        var refused = await Assert.ThrowsAsync<PostgresException>(() => connection.OpenAsync(Cancellation));
        Assert.Equal(PostgresErrorCodes.InvalidPassword, refused.SqlState);
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(Path.Combine(directory.Path, "superuser.password")));
    }

    [Fact]
    public async Task A_second_instance_on_the_same_directory_is_refused_and_the_first_goes_on()
    {
        await using var first = await StartAsync();
        var refused = await Assert.ThrowsAsync<EmbeddedServerException>(StartAsync);
        Assert.Equal($"Another instance is running on {directory.Path}: stop it first, or choose another data directory.", refused.Message);
        Assert.Equal(1, await ScalarAsync(first, "SELECT 1"));
    }

    [Fact]
    public async Task The_directory_may_lie_below_a_folder_closed_to_others()
    {
        var closed = Path.Combine(directory.Path, "closed");
        Directory.CreateDirectory(closed, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        await using var postgres = await EmbeddedPostgres.StartAsync(new() { Directory = Path.Combine(closed, "data"), Durable = false }, Cancellation);
        await ExecuteAsync(postgres, "CREATE TABLE t (n int); CHECKPOINT");
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute, File.GetUnixFileMode(closed));
    }

    [Fact]
    public async Task Data_of_another_major_version_is_refused_before_anything_touches_it()
    {
        await using (await StartAsync())
        {
        }

        var version = Path.Combine(directory.Path, "cluster", "PG_VERSION");
        var installed = (await File.ReadAllTextAsync(version, Cancellation)).Trim();
        await File.WriteAllTextAsync(version, "9\n", Cancellation);
        var refused = await Assert.ThrowsAsync<EmbeddedServerException>(StartAsync);
        Assert.Contains("was written by PostgreSQL 9, but only version", refused.Message, StringComparison.Ordinal);
        Assert.Contains("install PostgreSQL 9 beside it", refused.Message, StringComparison.Ordinal);

        await File.WriteAllTextAsync(version, installed + "\n", Cancellation);
        await using var again = await StartAsync();
        Assert.Equal(1, await ScalarAsync(again, "SELECT 1"));
    }

    [Fact]
    public async Task A_port_in_use_is_said()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        var port = ((IPEndPoint)listener.LocalEndpoint).Port;
        var refused = await Assert.ThrowsAsync<EmbeddedServerException>(() => EmbeddedPostgres.StartAsync(new() { Directory = directory.Path, Durable = false, Port = port }, Cancellation));
        Assert.Equal($"Port {port} is in use: stop what listens there, or choose another port for PostgreSQL.", refused.Message);
    }

    [Fact]
    public async Task A_fixed_port_is_used()
    {
        var port = FreePort.Choose();
        await using var postgres = await EmbeddedPostgres.StartAsync(new() { Directory = directory.Path, Durable = false, Port = port }, Cancellation);
        Assert.Equal(port, postgres.Port);
        Assert.Equal(port.ToString(CultureInfo.InvariantCulture), await ScalarAsync(postgres, "SHOW port"));
    }

    [Fact]
    public async Task A_directory_that_cannot_be_written_is_said()
    {
        var blocked = Path.Combine(directory.Path, "file");
        await File.WriteAllTextAsync(blocked, "", Cancellation);
        var refused = await Assert.ThrowsAsync<EmbeddedServerException>(() => EmbeddedPostgres.StartAsync(new() { Directory = Path.Combine(blocked, "data") }, Cancellation));
        Assert.Contains("cannot be written", refused.Message, StringComparison.Ordinal);
        Assert.Contains("choose another data directory", refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Missing_binaries_are_said()
    {
        var refused = await Assert.ThrowsAsync<EmbeddedServerException>(() => EmbeddedPostgres.StartAsync(new() { Directory = directory.Path, Binaries = "/nowhere" }, Cancellation));
        Assert.Equal("There is no working PostgreSQL in /nowhere: name the folder that holds 'postgres' and 'initdb'.", refused.Message);
    }

    [Fact]
    public async Task Programs_in_a_folder_closed_to_the_servers_account_are_said()
    {
        Assert.SkipUnless(Environment.IsPrivilegedProcess, "Only root starts PostgreSQL under another account.");
        var closed = Path.Combine(directory.Path, "closed");
        var bin = Path.Combine(closed, "bin");
        Directory.CreateDirectory(bin);
        var installed = await PostgresBinaries.FindAsync(cancellation: Cancellation);
        foreach (var program in new[] { "postgres", "initdb" })
        {
            File.Copy(Path.Combine(installed.Directory, program), Path.Combine(bin, program));
        }

        File.SetUnixFileMode(closed, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        var refused = await Assert.ThrowsAsync<EmbeddedServerException>(() => EmbeddedPostgres.StartAsync(new() { Directory = Path.Combine(directory.Path, "data"), Binaries = bin }, Cancellation));
        Assert.Contains($"open it with 'chmod o+x {closed}'", refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Data_without_its_password_is_refused()
    {
        await using (await StartAsync())
        {
        }

        File.Delete(Path.Combine(directory.Path, "superuser.password"));
        var refused = await Assert.ThrowsAsync<EmbeddedServerException>(StartAsync);
        Assert.Contains("superuser.password is missing: restore that file", refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_first_start_that_was_cut_short_is_begun_anew()
    {
        Directory.CreateDirectory(Path.Combine(directory.Path, "cluster.new", "base"));
        await using var postgres = await StartAsync();
        Assert.Equal(1, await ScalarAsync(postgres, "SELECT 1"));
    }

    public void Dispose() => directory.Dispose();

    private static async Task ExecuteAsync(EmbeddedPostgres postgres, string sql) => await ScalarAsync(postgres, sql);

    private static async Task<object?> ScalarAsync(EmbeddedPostgres postgres, string sql)
    {
        await using var connection = new NpgsqlConnection(postgres.AdministratorConnectionString);
        await connection.OpenAsync(Cancellation);
        await using var command = new NpgsqlCommand(sql, connection);
        return await command.ExecuteScalarAsync(Cancellation);
    }

    private Task<EmbeddedPostgres> StartAsync() => EmbeddedPostgres.StartAsync(new() { Directory = directory.Path, Durable = false }, Cancellation);
}
