using System.Globalization;
using LlmMarketplace.Embedded;

namespace LlmMarketplace.Servers;

/// <summary>
/// The real Kafka node of the shared folder (<see cref="RepositoryRoot.Shared"/>), where it and Java are there; else the reason to skip. Started by
/// the first test that asks; use it as an assembly fixture. Topics outlive tests: use names of your own.
/// </summary>
public sealed class KafkaServer : IAsyncDisposable
{
    private readonly TestDirectory directory = new("kafka");
    private readonly SemaphoreSlim turn = new(1);
    private readonly string port = FreePort.Choose().ToString(CultureInfo.InvariantCulture);
    private ChildProcess? broker;

    /// <summary>Why there is no Kafka to test with, or null when there is one.</summary>
    public static string? SkipReason { get; } =
        RepositoryRoot.Shared is null || !File.Exists(Runner) ? "backends/kafka is not beside the repository (LLM_MARKETPLACE_SHARED names its folder): tested against the feed only."
        : Programs.Find("java") is null ? "Java is not installed (apt-get install default-jre-headless): tested against the feed only."
        : null;

    private static string Runner => Path.Combine(RepositoryRoot.Shared ?? "/", "backends", "kafka", "run");

    /// <summary>Starts the broker unless it runs; only when <see cref="SkipReason"/> is null. Returns what goes into <c>bootstrap.servers</c>.</summary>
    public async Task<string> StartAsync()
    {
        await turn.WaitAsync();
        try
        {
            if (broker is null || broker.Exited.IsCompleted)
            {
                broker = await Programs.StartUntilAsync("Kafka Server started", TimeSpan.FromSeconds(60), new()
                {
                    FileName = Runner,
                    Arguments = ["--port", port, "--controller-port", FreePort.Choose().ToString(CultureInfo.InvariantCulture), "--data", directory.Path, "--advertise", "127.0.0.1"],
                });
            }

            return "127.0.0.1:" + port;
        }
        finally
        {
            turn.Release();
        }
    }

    /// <summary>Ends the broker; its data and port stay, so that <see cref="StartAsync"/> brings it back.</summary>
    /// <param name="kill">As <c>kill -9</c> does, or in order.</param>
    public async Task StopAsync(bool kill = false)
    {
        if (broker is not null)
        {
            await broker.StopAsync(kill ? ProcessSignal.Kill : ProcessSignal.Terminate, TimeSpan.FromSeconds(20));
        }
    }

    /// <summary>Ends the broker and removes its data.</summary>
    public async ValueTask DisposeAsync()
    {
        if (broker is not null)
        {
            await broker.DisposeAsync();
        }

        directory.Dispose();
        turn.Dispose();
    }
}
