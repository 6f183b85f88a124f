using Xunit;

namespace LlmMarketplace.Embedded.Tests.Processes;

public sealed class ChildProcessTests
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_child_outlives_the_thread_that_asked_for_it()
    {
        ChildProcess? child = null;
        var asker = new Thread(() => child = ChildProcess.StartAsync(new() { FileName = "sleep", Arguments = ["600"] }).GetAwaiter().GetResult());
        asker.Start();
        asker.Join();

        // The death signal would be there before this signal is: both are queued for the same process, in order.
        child!.Send(ProcessSignal.Terminate);
        Assert.Equal(128 + (int)ProcessSignal.Terminate, await child.Exited.WaitAsync(TimeSpan.FromSeconds(5), Cancellation));
        await child.DisposeAsync();
    }

    [Fact]
    public async Task Its_output_and_exit_code_are_read_to_the_end()
    {
        var (code, output) = await ChildProcess.RunAsync(new() { FileName = "bash", Arguments = ["-c", "echo one; echo two >&2; exit 3"] }, Cancellation);
        Assert.Equal(3, code);
        Assert.Equal(["one", "two"], output.Split('\n').Order());
    }

    [Fact]
    public async Task A_program_that_is_not_there_ends_with_127()
    {
        var (code, output) = await ChildProcess.RunAsync(new() { FileName = "/nowhere/program" }, Cancellation);
        Assert.Equal(127, code);
        Assert.Contains("/nowhere/program", output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task It_is_in_a_session_of_its_own_so_that_ctrl_c_does_not_reach_it()
    {
        var (_, output) = await ChildProcess.RunAsync(new() { FileName = "bash", Arguments = ["-c", "cut -d' ' -f1,6 /proc/$$/stat"] }, Cancellation);
        var fields = output.Split(' ');
        Assert.Equal(fields[0], fields[1]);
    }
}
