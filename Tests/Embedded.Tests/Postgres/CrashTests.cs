using System.Globalization;
using LlmMarketplace.Servers;
using Xunit;

namespace LlmMarketplace.Embedded.Tests.Postgres;

public sealed class CrashTests : IDisposable
{
    private readonly TestDirectory directory = new("crash");

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Killing_the_parent_leaves_no_orphan_and_the_next_start_succeeds()
    {
        for (var round = 0; round < 3; round++)
        {
            var (parent, postmaster) = await StartParentAsync();
            await using (parent)
            {
                Assert.True(Runs(postmaster));
                parent.Send(ProcessSignal.Kill);
                await parent.Exited;
                await UntilGoneAsync(postmaster);
            }
        }

        await using var after = await StartAsync();
        Assert.True(Runs(after.ProcessId));
    }

    [Fact]
    public async Task A_start_right_after_the_parent_was_killed_does_not_trip_over_what_is_still_stopping()
    {
        var (parent, postmaster) = await StartParentAsync();
        await using (parent)
        {
            parent.Send(ProcessSignal.Kill);
            await parent.Exited;
            await using var next = await StartAsync();
            Assert.NotEqual(postmaster, next.ProcessId);
            Assert.False(Runs(postmaster));
        }
    }

    [Fact]
    public async Task A_server_that_lost_its_parent_is_stopped_before_a_new_one_starts()
    {
        await using (await StartAsync())
        {
        }

        // Without a parent that holds the directory's lock: what is left when the death signal was missed.
        var data = Path.Combine(directory.Path, "cluster");
        var binaries = await PostgresBinaries.FindAsync(cancellation: Cancellation);
        await using var orphan = await Programs.StartUntilAsync("ready to accept connections", TimeSpan.FromSeconds(20), new()
        {
            FileName = Path.Combine(binaries.Directory, "postgres"),
            Arguments = ["-D", data, "-c", $"port={FreePort.Choose()}", "-c", "unix_socket_directories=", "-c", "listen_addresses=127.0.0.1"],
            Account = await ServerAccount.ForAsync(data, Cancellation),
        });
        await using var postgres = await StartAsync();
        Assert.True(orphan.Exited.IsCompleted || !Runs(orphan.Id));
        Assert.True(Runs(postgres.ProcessId));
    }

    [Fact]
    public async Task Killing_the_server_itself_is_noticed_and_the_next_start_recovers()
    {
        await using (var first = await StartAsync())
        {
            Assert.Equal(0, NativeMethods.Kill(first.ProcessId, (int)ProcessSignal.Kill));
            await first.Exited.WaitAsync(TimeSpan.FromMinutes(3), Cancellation);
        }

        await using var second = await StartAsync();
        Assert.True(Runs(second.ProcessId));
    }

    [Fact]
    public async Task A_stale_pid_file_whose_number_belongs_to_another_program_does_not_stop_the_start()
    {
        await using (await StartAsync())
        {
        }

        // Another program of the same account, which is what PostgreSQL itself would take for a running server.
        var data = Path.Combine(directory.Path, "cluster");
        await using var other = await ChildProcess.StartAsync(new() { FileName = "sleep", Arguments = ["600"], Account = await ServerAccount.ForAsync(data, Cancellation) });
        await File.WriteAllTextAsync(Path.Combine(data, "postmaster.pid"), $"{other.Id}\n{data}\n1700000000\n5432\n\n127.0.0.1\n        0         0\n", Cancellation);
        await using var postgres = await StartAsync();
        Assert.True(Runs(postgres.ProcessId));
        Assert.True(Runs(other.Id));
    }

    public void Dispose() => directory.Dispose();

    private static bool Runs(int pid) => Directory.Exists($"/proc/{pid}") && !File.ReadAllText($"/proc/{pid}/stat").Contains(") Z ", StringComparison.Ordinal);

    private static async Task UntilGoneAsync(int pid)
    {
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(Cancellation);
        patience.CancelAfter(TimeSpan.FromSeconds(5));
        while (Directory.Exists($"/proc/{pid}"))
        {
            await Task.Delay(10, patience.Token);
        }
    }

    private Task<EmbeddedPostgres> StartAsync() => EmbeddedPostgres.StartAsync(new() { Directory = directory.Path, Durable = false }, Cancellation);

    private async Task<(ChildProcess Parent, int Postmaster)> StartParentAsync()
    {
        var parent = await Programs.StartUntilAsync("ready ", TimeSpan.FromSeconds(60), new()
        {
            FileName = "dotnet",
            Arguments = [Path.Combine(AppContext.BaseDirectory, "LlmMarketplace.EmbeddedParent.dll"), directory.Path],
        });
        var ready = parent.LastLines.Last(line => line.StartsWith("ready ", StringComparison.Ordinal));
        return (parent, int.Parse(ready.AsSpan("ready ".Length), CultureInfo.InvariantCulture));
    }
}
