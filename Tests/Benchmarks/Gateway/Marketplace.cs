using LlmMarketplace.FirstRun;
using LlmMarketplace.Servers;

namespace LlmMarketplace.Benchmarks.Gateway;

/// <summary>The product as <c>./run</c> starts it, with the benchmark's provider published and consumers that call it.</summary>
internal sealed class Marketplace : IAsyncDisposable
{
    /// <summary>What requests name as model.</summary>
    public const string Model = "bench/chat";

    private readonly AllInOneProcess process;

    private Marketplace(AllInOneProcess process, string secret) => (this.process, BootstrapSecret) = (process, secret);

    public Uri Address => process.Facts.Url;

    /// <summary>Its main process; PostgreSQL is a child of it.</summary>
    public int ProcessId => process.Process.Id;

    /// <summary>Of the administrator's client <c>bootstrap</c>.</summary>
    public string BootstrapSecret { get; }

    /// <summary>One of each consumer.</summary>
    public List<string> Keys { get; } = [];

    /// <summary>The slug of a consumer's organisation.</summary>
    public static string Consumer(int number) => $"bench-{number}";

    /// <param name="folder">For its data.</param>
    /// <param name="provider">Where the provider listens.</param>
    /// <param name="consumers">Organisations, each of the tier enterprise: 1 000 requests a second.</param>
    /// <param name="cancellation">Gives up.</param>
    /// <param name="namesFunctions">Whether it tells Linux's perf the names of its functions.</param>
    public static async Task<Marketplace> StartAsync(string folder, Uri provider, int consumers, CancellationToken cancellation, bool namesFunctions = false)
    {
        var data = Path.Combine(folder, "data");
        var process = await AllInOneProcess.StartAsync(data, environment: new Dictionary<string, string?>
        {
            ["Providers__Local__bench__Address"] = provider.AbsoluteUri.TrimEnd('/'),
            ["Providers__Local__bench__Organisation"] = "bench",
            ["DOTNET_PerfMapEnabled"] = namesFunctions ? "1" : null,
            ["DOTNET_EnableWriteXorExecute"] = namesFunctions ? "0" : null, // Else perf takes compiled code for that of a file, and asks for no names.
        });
        try
        {
            var marketplace = new Marketplace(process, (await File.ReadAllTextAsync(Path.Combine(data, "keys", "bootstrap-client.secret"), cancellation)).Trim());
            var template = await File.ReadAllTextAsync(Path.Combine(AppContext.BaseDirectory, "Gateway", "catalogue.yaml"), cancellation);
            for (var consumer = 0; consumer < consumers; consumer++)
            {
                var catalogue = Path.Combine(folder, "catalogue.yaml");
                await File.WriteAllTextAsync(catalogue, template.Replace("BENCH_CONSUMER", Consumer(consumer), StringComparison.Ordinal), cancellation);
                var options = new FirstRunOptions(marketplace.Address, "bootstrap", marketplace.BootstrapSecret, Path.Combine(folder, $"state-{consumer}")) { Catalogue = catalogue };
                marketplace.Keys.Add((await FirstRunProgram.RunAsync(options, new Progress<string>(), cancellation)).ConsumerKey);
            }

            return marketplace;
        }
        catch
        {
            await process.DisposeAsync();
            throw;
        }
    }

    public ValueTask DisposeAsync() => process.DisposeAsync();
}
