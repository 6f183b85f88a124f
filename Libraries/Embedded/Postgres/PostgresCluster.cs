using System.Globalization;
using System.Security.Cryptography;

namespace LlmMarketplace.Embedded;

/// <summary>
/// The files of one cluster: DIR/cluster (PostgreSQL's own), DIR/superuser.password (mode 600), DIR/postgres.log.
/// The password is written before the cluster, and the cluster appears by a rename, so a crash in between leaves nothing half made.
/// </summary>
internal sealed class PostgresCluster(string directory)
{
    public const string Superuser = "postgres";

    public string Data { get; } = Path.Combine(directory, "cluster");

    public string LogFile { get; } = Path.Combine(directory, "postgres.log");

    private string PasswordFile { get; } = Path.Combine(directory, "superuser.password");

    /// <summary>The version that wrote the data; null when there is none yet.</summary>
    public int? DataMajorVersion
    {
        get
        {
            var file = Path.Combine(Data, "PG_VERSION");
            return !Directory.Exists(Data) ? null
                : File.Exists(file) ? int.Parse(File.ReadAllText(file).Trim().Split('.')[0], CultureInfo.InvariantCulture)
                : throw new EmbeddedServerException($"{Data} exists but is no PostgreSQL cluster: restore it, or remove it to start afresh.");
        }
    }

    public string ReadPassword() => File.Exists(PasswordFile)
        ? File.ReadAllText(PasswordFile).Trim()
        : throw new EmbeddedServerException($"The cluster {Data} is there but its password {PasswordFile} is missing: restore that file, or remove both to start afresh.");

    public async Task InitialiseAsync(PostgresBinaries binaries, ServerAccount? account, bool durable, CancellationToken cancellation)
    {
        var fresh = Data + ".new";
        var passwordForInitdb = PasswordFile + ".initdb";
        if (Directory.Exists(fresh))
        {
            Directory.Delete(fresh, recursive: true);
        }

        Directory.CreateDirectory(fresh, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        WriteSecret(PasswordFile, RandomNumberGenerator.GetHexString(48, lowercase: true));
        File.Delete(passwordForInitdb);
        WriteSecret(passwordForInitdb, ReadPassword());
        if (account is not null)
        {
            await account.TakeOverAsync(fresh, cancellation);
            await account.TakeOverAsync(passwordForInitdb, cancellation);
        }

        var (code, output) = await ChildProcess.RunAsync(
            new()
            {
                FileName = Path.Combine(binaries.Directory, "initdb"),
                Arguments =
                [
                    "--pgdata", fresh, "--username", Superuser, "--pwfile", passwordForInitdb, "--auth=scram-sha-256", "--encoding=UTF8",
                    "--locale=C.UTF-8", "--lc-messages=C", "--no-instructions", .. durable ? Array.Empty<string>() : ["--no-sync"],
                ],
                Environment = CleanEnvironment(),
                Account = account,
                Capability = account is null ? null : ServerAccount.CapabilityFor(fresh),
            },
            cancellation);
        File.Delete(passwordForInitdb);
        if (code != 0)
        {
            throw new EmbeddedServerException($"PostgreSQL could not create its data in {Data}; initdb said: {output}");
        }

        Directory.Move(fresh, Data);
    }

    /// <summary>PostgreSQL's own variables would overrule what we say.</summary>
    public static Dictionary<string, string?> CleanEnvironment() => Environment.GetEnvironmentVariables().Keys.Cast<string>()
        .Where(name => name.StartsWith("PG", StringComparison.Ordinal))
        .ToDictionary(name => name, _ => (string?)null);

    /// <summary>
    /// We hold the directory's lock, so a server that still runs on the cluster has lost its parent: it is asked to stop. A pid file whose
    /// number now belongs to some other program would keep PostgreSQL from starting, and is removed.
    /// </summary>
    public async Task ClearAwayOrphanAsync(CancellationToken cancellation)
    {
        var pidFile = Path.Combine(Data, "postmaster.pid");
        if (!File.Exists(pidFile) || !int.TryParse((await File.ReadAllLinesAsync(pidFile, cancellation)).FirstOrDefault(), CultureInfo.InvariantCulture, out var pid))
        {
            return;
        }

        var commandLine = $"/proc/{pid}/cmdline";
        if (!File.Exists(commandLine))
        {
            return; // PostgreSQL itself finds that out and starts.
        }

        if (!IsOurs(commandLine))
        {
            File.Delete(pidFile);
            return;
        }

        _ = NativeMethods.Kill(pid, (int)ProcessSignal.Interrupt);
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(15));
        using var either = CancellationTokenSource.CreateLinkedTokenSource(patience.Token, cancellation);
        while (IsOurs(commandLine))
        {
            try
            {
                await Task.Delay(20, either.Token);
            }
            catch (OperationCanceledException) when (patience.IsCancellationRequested)
            {
                throw new EmbeddedServerException($"A PostgreSQL left over from an earlier run (process {pid}) does not stop: end it with 'kill -QUIT {pid}' and start again.");
            }
        }
    }

    private bool IsOurs(string commandLine)
    {
        try
        {
            return File.ReadAllText(commandLine).Split('\0').Contains(Data);
        }
        catch (IOException)
        {
            return false; // it ended while we looked
        }
    }

    private static void WriteSecret(string path, string secret)
    {
        using var stream = new FileStream(path, new FileStreamOptions
        {
            Mode = FileMode.Create,
            Access = FileAccess.Write,
            UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite,
        });
        stream.Write(System.Text.Encoding.UTF8.GetBytes(secret + "\n"));
        stream.Flush(flushToDisk: true);
    }
}
