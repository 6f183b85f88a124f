using LlmMarketplace.Embedded;

namespace LlmMarketplace.Servers;

/// <summary>
/// A service as its host runs it, in a process of its own that can be killed and paused. The project that uses it refers to the host with <c>ReferenceOutputAssembly="false"</c>, so
/// that it is built.
/// </summary>
public sealed class HostProcess : IAsyncDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(90);
    private readonly ChildProcessOptions options;

    /// <summary>Nothing is started yet.</summary>
    /// <param name="service">The service: <c>Gateway</c>.</param>
    /// <param name="settings">Its configuration, by names with colons.</param>
    /// <param name="onLine">Gets what it writes.</param>
    public HostProcess(string service, IEnumerable<KeyValuePair<string, string?>> settings, Action<string>? onLine = null)
    {
        // .../Tests/X/bin/{configuration}/{framework}/: the same of each as our own build.
        var output = new DirectoryInfo(AppContext.BaseDirectory.TrimEnd('/'));
        options = new()
        {
            FileName = "dotnet",
            Arguments = [Path.Combine(RepositoryRoot.Path, "Services", service, $"{service}.Host", "bin", output.Parent!.Name, output.Name, $"LlmMarketplace.{service}.Host.dll")],
            Environment = settings.ToDictionary(setting => setting.Key.Replace(":", "__", StringComparison.Ordinal), setting => setting.Value),
            OnLine = onLine,
        };
    }

    /// <summary>The process; null before it was started.</summary>
    public ChildProcess? Process { get; private set; }

    /// <summary>Brings its database up to date.</summary>
    public async Task MigrateAsync()
    {
        var (code, output) = await ChildProcess.RunAsync(options with { Arguments = [.. options.Arguments, "--migrate"] }).WaitAsync(Patience);
        if (code != 0)
        {
            throw new InvalidOperationException($"{options.Arguments[0]} --migrate ended with {code}:\n{output}");
        }
    }

    /// <summary>Starts it, once more if it ran before, and waits until it listens.</summary>
    public async Task StartAsync()
    {
        await DisposeAsync();
        Process = await Programs.StartUntilAsync("Application started", Patience, options);
    }

    /// <summary>Ends it as <c>kill -9</c> does and waits until it is gone.</summary>
    public async Task KillAsync()
    {
        Process!.Send(ProcessSignal.Kill);
        await Process.Exited;
    }

    /// <summary>Pauses it: SIGSTOP. Ends when all of it stands still: threads that run go on until another one has been given the processor and has taken the signal.</summary>
    public async Task PauseAsync()
    {
        Process!.Send(ProcessSignal.Pause);
        while (!Directory.GetDirectories($"/proc/{Process.Id}/task").All(IsStopped))
        {
            await Task.Delay(1);
        }
    }

    /// <summary>Lets it go on: SIGCONT.</summary>
    public void Continue() => Process!.Send(ProcessSignal.Continue);

    /// <summary>Kills it if it still runs.</summary>
    public async ValueTask DisposeAsync()
    {
        if (Process is not null)
        {
            await Process.DisposeAsync();
        }
    }

    /// <summary>The state stands behind the name, which is in brackets and may hold anything: <c>17 (name) T …</c>.</summary>
    private static bool IsStopped(string task)
    {
        var stat = File.ReadAllText(Path.Combine(task, "stat"));
        return stat[stat.LastIndexOf(')') + 2] is 'T' or 't';
    }
}
