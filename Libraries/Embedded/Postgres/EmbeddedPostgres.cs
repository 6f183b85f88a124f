using System.Globalization;
using Npgsql;

namespace LlmMarketplace.Embedded;

/// <summary>A database as its users see it.</summary>
/// <param name="OwnerConnectionString">Of the role that owns the schema: for migrations only.</param>
/// <param name="AppConnectionString">Of the role that reads and writes rows; migrations grant it what it may do.</param>
public sealed record EmbeddedDatabase(string OwnerConnectionString, string AppConnectionString);

/// <summary>
/// A real PostgreSQL server, private to this process: its own cluster in a folder, its own port on the loopback address, passwords (SCRAM) for
/// everybody, and a life that ends with ours.
/// </summary>
public sealed class EmbeddedPostgres : IAsyncDisposable
{
    private const int PortAttempts = 5;
    private readonly DirectoryLock directoryLock;
    private readonly ChildProcess server;
    private readonly StreamWriter log;
    private readonly NpgsqlConnectionStringBuilder superuser;

    private EmbeddedPostgres(DirectoryLock directoryLock, ChildProcess server, StreamWriter log, NpgsqlConnectionStringBuilder superuser) =>
        (this.directoryLock, this.server, this.log, this.superuser) = (directoryLock, server, log, superuser);

    /// <summary>The loopback port it listens on.</summary>
    public int Port => superuser.Port;

    /// <summary>The postmaster's process id.</summary>
    public int ProcessId => server.Id;

    /// <summary>The superuser's connection string, database <c>postgres</c>.</summary>
    public string AdministratorConnectionString => superuser.ConnectionString;

    /// <summary>Ends when the server has stopped, whoever stopped it.</summary>
    public Task Exited => server.Exited;

    /// <summary>Creates the cluster at the first start, then starts the server and waits until it answers.</summary>
    /// <exception cref="EmbeddedServerException">One sentence that says what to do.</exception>
    public static async Task<EmbeddedPostgres> StartAsync(EmbeddedPostgresOptions options, CancellationToken cancellation = default)
    {
        var directory = Path.GetFullPath(options.Directory);
        var directoryLock = DirectoryLock.Take(directory);
        try
        {
            var cluster = new PostgresCluster(directory);
            var binaries = await PostgresBinaries.FindAsync(options.Binaries, cluster.DataMajorVersion, cancellation);
            var account = await ServerAccount.ForAsync(cluster.Data, cancellation);
            if (account is not null)
            {
                ServerAccount.RequireOpen(binaries.Directory);
            }

            if (cluster.DataMajorVersion is not { } version)
            {
                await cluster.InitialiseAsync(binaries, account, options.Durable, cancellation);
            }
            else if (version != binaries.MajorVersion)
            {
                throw new EmbeddedServerException(
                    $"The data in {cluster.Data} was written by PostgreSQL {version}, but only version {binaries.MajorVersion} is installed ({binaries.Directory}): "
                    + $"install PostgreSQL {version} beside it, or move the data with pg_upgrade, or remove it to start afresh.");
            }

            await cluster.ClearAwayOrphanAsync(cancellation);
            return await LaunchAsync(options, cluster, binaries, account, directoryLock, cancellation);
        }
        catch (Exception e)
        {
            directoryLock.Dispose();
            if (e is UnauthorizedAccessException)
            {
                throw new EmbeddedServerException($"The directory {directory} cannot be used ({e.Message}): start as the user it belongs to, or choose another data directory.", e);
            }

            throw;
        }
    }

    /// <summary>
    /// Makes sure that the database and its two roles exist and have these passwords, and that nobody else may connect. May be called at every start.
    /// </summary>
    public async Task<EmbeddedDatabase> CreateDatabaseAsync(
        string name, string ownerRole, string ownerPassword, string appRole, string appPassword, CancellationToken cancellation = default)
    {
        await using var connection = new NpgsqlConnection(superuser.ConnectionString);
        await connection.OpenAsync(cancellation);
        await EnsureRoleAsync(connection, ownerRole, ownerPassword, cancellation);
        await EnsureRoleAsync(connection, appRole, appPassword, cancellation);
        await using (var exists = new NpgsqlCommand("SELECT 1 FROM pg_database WHERE datname = $1", connection) { Parameters = { new() { Value = name } } })
        {
            if (await exists.ExecuteScalarAsync(cancellation) is null)
            {
                await ExecuteAsync(connection, "format('CREATE DATABASE %I OWNER %I', $1::text, $2::text)", [name, ownerRole], cancellation);
            }
        }

        await ExecuteAsync(connection, "format('REVOKE ALL ON DATABASE %I FROM PUBLIC', $1::text)", [name], cancellation);
        await ExecuteAsync(connection, "format('GRANT CONNECT ON DATABASE %I TO %I', $1::text, $2::text)", [name, appRole], cancellation);
        return new(ConnectionString(name, ownerRole, ownerPassword), ConnectionString(name, appRole, appPassword));
    }

    /// <summary>Stops the server: connections are cut, what was committed is on disk.</summary>
    public async ValueTask DisposeAsync()
    {
        await server.StopAsync(ProcessSignal.Interrupt, TimeSpan.FromSeconds(10));
        await server.DisposeAsync();
        await log.DisposeAsync();
        directoryLock.Dispose();
    }

    private static async Task<EmbeddedPostgres> LaunchAsync(
        EmbeddedPostgresOptions options, PostgresCluster cluster, PostgresBinaries binaries, ServerAccount? account, DirectoryLock directoryLock, CancellationToken cancellation)
    {
        if (options.Port != 0 && !FreePort.IsFree(options.Port))
        {
            throw new EmbeddedServerException($"Port {options.Port} is in use: stop what listens there, or choose another port for PostgreSQL.");
        }

        using var patience = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        patience.CancelAfter(options.StartTimeout);
        var log = OpenLog(cluster.LogFile);
        for (var attempt = 1; ; attempt++)
        {
            var superuser = new NpgsqlConnectionStringBuilder
            {
                Host = "127.0.0.1",
                Port = options.Port != 0 ? options.Port : FreePort.Choose(),
                Username = PostgresCluster.Superuser,
                Password = cluster.ReadPassword(),
                Database = "postgres",
                Pooling = false,
                Timeout = 5,
            };
            var server = await ChildProcess.StartAsync(new()
            {
                FileName = Path.Combine(binaries.Directory, "postgres"),
                Arguments = Arguments(options, cluster, superuser.Port),
                Environment = PostgresCluster.CleanEnvironment(),
                DeathSignal = ProcessSignal.Interrupt,
                OnLine = log.WriteLine,
                Account = account,
                Capability = account is null ? null : ServerAccount.CapabilityFor(cluster.Data),
            });
            try
            {
                await UntilReadyAsync(server, superuser, patience.Token);
                return new(directoryLock, server, log, superuser);
            }
            catch (EmbeddedServerException) when (attempt < PortAttempts && MayTryAgain(server.LastLines, options.Port))
            {
                await server.DisposeAsync();
                await Task.Delay(TimeSpan.FromMilliseconds(200 * attempt), patience.Token);
            }
            catch (Exception e)
            {
                await server.StopAsync(ProcessSignal.Interrupt, TimeSpan.FromSeconds(5));
                await server.DisposeAsync();
                await log.DisposeAsync();
                throw e is OperationCanceledException && !cancellation.IsCancellationRequested
                    ? new EmbeddedServerException($"PostgreSQL was not ready within {options.StartTimeout.TotalSeconds:0} s: see {cluster.LogFile} for what keeps it.", e)
                    : e is EmbeddedServerException ? new EmbeddedServerException($"{e.Message} (log: {cluster.LogFile})", e)
                    : new EmbeddedServerException($"PostgreSQL does not answer ({e.Message}): see {cluster.LogFile}.", e);
            }
        }
    }

    private static List<string> Arguments(EmbeddedPostgresOptions options, PostgresCluster cluster, int port)
    {
        var settings = new Dictionary<string, string>
        {
            ["listen_addresses"] = "127.0.0.1",
            ["port"] = port.ToString(CultureInfo.InvariantCulture),
            ["unix_socket_directories"] = "", // their paths may not exceed 107 characters, ours may
            ["max_connections"] = options.MaxConnections.ToString(CultureInfo.InvariantCulture),
            ["shared_buffers"] = "64MB",
            ["logging_collector"] = "off",
            ["log_destination"] = "stderr",
            ["log_min_messages"] = "warning",
            ["log_timezone"] = "UTC",
            ["timezone"] = "UTC",
            ["jit"] = "off", // our queries are short: compiling them costs more than it saves
        };
        if (!options.Durable)
        {
            settings["fsync"] = settings["synchronous_commit"] = settings["full_page_writes"] = "off";
        }

        return ["-D", cluster.Data, .. settings.SelectMany(setting => new[] { "-c", $"{setting.Key}={setting.Value}" })];
    }

    private static async Task UntilReadyAsync(ChildProcess server, NpgsqlConnectionStringBuilder superuser, CancellationToken cancellation)
    {
        while (true)
        {
            if (server.Exited.IsCompleted)
            {
                throw new EmbeddedServerException($"PostgreSQL did not start: {string.Join(' ', server.LastLines.Select(line => line.Trim()))}");
            }

            try
            {
                await using var connection = new NpgsqlConnection(superuser.ConnectionString);
                await connection.OpenAsync(cancellation);
                return;
            }
            catch (PostgresException e) when (e.SqlState == PostgresErrorCodes.CannotConnectNow)
            {
                await Task.WhenAny(server.Exited, Task.Delay(25, cancellation));
            }
            catch (PostgresException e) when (e.SqlState == PostgresErrorCodes.InvalidPassword)
            {
                throw new EmbeddedServerException("PostgreSQL refuses its superuser's password: restore the file superuser.password that belongs to this cluster.", e);
            }
            catch (NpgsqlException)
            {
                await Task.WhenAny(server.Exited, Task.Delay(25, cancellation));
            }

            cancellation.ThrowIfCancellationRequested();
        }
    }

    // Somebody took the port between our look and PostgreSQL's bind; or sessions of a killed postmaster are still on their way out.
    private static bool MayTryAgain(IReadOnlyList<string> lines, int fixedPort) =>
        lines.Any(line => (fixedPort == 0 && line.Contains("Address already in use", StringComparison.Ordinal))
            || line.Contains("pre-existing shared memory block", StringComparison.Ordinal));

    private static StreamWriter OpenLog(string path)
    {
        const long limit = 8 * 1024 * 1024;
        if (File.Exists(path) && new FileInfo(path).Length > limit)
        {
            File.Move(path, path + ".1", overwrite: true);
        }

        return new StreamWriter(new FileStream(path, new FileStreamOptions
        {
            Mode = FileMode.Append,
            Access = FileAccess.Write,
            Share = FileShare.ReadWrite,
            UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite,
        }))
        { AutoFlush = true };
    }

    private static async Task EnsureRoleAsync(NpgsqlConnection connection, string role, string password, CancellationToken cancellation)
    {
        await using var exists = new NpgsqlCommand("SELECT 1 FROM pg_roles WHERE rolname = $1", connection) { Parameters = { new() { Value = role } } };
        var verb = await exists.ExecuteScalarAsync(cancellation) is null ? "CREATE" : "ALTER";
        await ExecuteAsync(
            connection,
            $"format('{verb} ROLE %I LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE PASSWORD %L', $1::text, $2::text)",
            [role, password],
            cancellation);
    }

    // DDL takes no parameters: the server quotes them into the statement first.
    private static async Task ExecuteAsync(NpgsqlConnection connection, string format, string[] values, CancellationToken cancellation)
    {
        await using var quote = new NpgsqlCommand($"SELECT {format}", connection);
        foreach (var value in values)
        {
            quote.Parameters.Add(new() { Value = value });
        }

        var sql = (string)(await quote.ExecuteScalarAsync(cancellation))!;
#pragma warning disable CA2100 // the server itself has just quoted it
        await using var statement = new NpgsqlCommand(sql, connection);
#pragma warning restore CA2100
        await statement.ExecuteNonQueryAsync(cancellation);
    }

    private string ConnectionString(string database, string role, string password) => new NpgsqlConnectionStringBuilder
    {
        Host = superuser.Host,
        Port = superuser.Port,
        Database = database,
        Username = role,
        Password = password,
    }.ConnectionString;
}
