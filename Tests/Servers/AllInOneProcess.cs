using System.Globalization;
using System.Text.Json;
using LlmMarketplace.Embedded;

namespace LlmMarketplace.Servers;

/// <summary>DIR/first-run.json, as a started marketplace writes it.</summary>
public sealed record FirstRunFacts(Uri Url, string AdminEmail, string AdminPassword, string? ConsumerKey, string? Model);

/// <summary>
/// The whole marketplace as a person starts it: a child process that dies with this one. The project that uses it refers to AllInOne with
/// <c>ReferenceOutputAssembly="false"</c>, so that it is built.
/// </summary>
public sealed class AllInOneProcess : IAsyncDisposable
{
    private const string ReadyLine = "Ctrl-C stops it.";
    private static readonly TimeSpan StartPatience = TimeSpan.FromSeconds(150);
    private static readonly TimeSpan StopPatience = TimeSpan.FromSeconds(15);

    private AllInOneProcess(ChildProcess process, string directory, FirstRunFacts facts) => (Process, DirectoryPath, Facts) = (process, directory, facts);

    /// <summary>The process: to look at, to signal and to kill.</summary>
    public ChildProcess Process { get; }

    /// <summary>Its data directory.</summary>
    public string DirectoryPath { get; }

    /// <summary>Address, sign-in, and a key that works.</summary>
    public FirstRunFacts Facts { get; }

    /// <summary>Starts it and waits until it says that it is ready.</summary>
    /// <param name="directory">The data directory; keep it to start again on the same data.</param>
    /// <param name="port">The public port; a free one unless given.</param>
    /// <param name="environment">Added to our environment, such as <c>Providers__Local__name__Address</c>.</param>
    public static async Task<AllInOneProcess> StartAsync(string directory, int? port = null, IReadOnlyDictionary<string, string?>? environment = null)
    {
        var process = await Programs.StartUntilAsync(ReadyLine, StartPatience, Options(environment, "--data", directory, "--port", Text(port ?? FreePort.Choose())));
        await using var file = File.OpenRead(Path.Combine(directory, "first-run.json"));
        return new(process, directory, (await JsonSerializer.DeserializeAsync<FirstRunFacts>(file, JsonSerializerOptions.Web))!);
    }

    /// <summary>Runs it with these arguments to its end: for starts that are refused.</summary>
    public static Task<(int ExitCode, string Output)> RunAsync(IReadOnlyDictionary<string, string?>? environment, params string[] arguments) =>
        ChildProcess.RunAsync(Options(environment, arguments)).WaitAsync(StartPatience);

    /// <summary>Asks it to stop, as SIGTERM does. Returns whether it did so by itself in time.</summary>
    public Task<bool> StopAsync() => Process.StopAsync(ProcessSignal.Terminate, StopPatience);

    /// <summary>Ends it as <c>kill -9</c> does and waits until the process is gone.</summary>
    public async Task KillAsync()
    {
        Process.Send(ProcessSignal.Kill);
        await Process.Exited;
    }

    /// <summary>Stops it if it still runs.</summary>
    public async ValueTask DisposeAsync()
    {
        await StopAsync();
        await Process.DisposeAsync();
    }

    private static string Text(int number) => number.ToString(CultureInfo.InvariantCulture);

    private static ChildProcessOptions Options(IReadOnlyDictionary<string, string?>? environment, params string[] arguments)
    {
        // .../Tests/X/bin/{configuration}/{framework}/: the same of each as our own build.
        var output = new DirectoryInfo(AppContext.BaseDirectory.TrimEnd('/'));
        var assembly = Path.Combine(RepositoryRoot.Path, "Services", "AllInOne", "bin", output.Parent!.Name, output.Name, "LlmMarketplace.AllInOne.dll");
        return new()
        {
            FileName = "dotnet",
            Arguments = [assembly, .. arguments],
            Environment = environment ?? new Dictionary<string, string?>(),
            DeathSignal = ProcessSignal.Terminate,
        };
    }
}
