using LlmMarketplace.Benchmarks.Faults;
using LlmMarketplace.Benchmarks.Gateway;

namespace LlmMarketplace.Benchmarks.Streams;

/// <summary>A way to run the product, started.</summary>
/// <param name="Name">For the table.</param>
/// <param name="Address">Its public address.</param>
/// <param name="Model">What requests name as model.</param>
/// <param name="WarmUpKey">A key whose calls are not looked at.</param>
/// <param name="Consumers">Who calls; each key has a budget.</param>
/// <param name="Processes">Those whose memory is looked at; the one that serves <c>/v1</c> first.</param>
internal sealed record StreamedProduct(string Name, Uri Address, string Model, string WarmUpKey, IReadOnlyList<(Consumer Consumer, CellKey Key)> Consumers, IReadOnlyList<(string Name, int Id)> Processes) : IAsyncDisposable
{
    /// <summary>As users start it, and as processes of their own.</summary>
    public static string[] Names { get; } = ["all-in-one", "hosts"];

    // What admits 1 000 requests a second each.
    private const int Organisations = 8;

    private readonly List<IAsyncDisposable> parts = [];

    /// <param name="name">One of <see cref="Names"/>.</param>
    /// <param name="folder">For its data.</param>
    /// <param name="provider">Where the provider listens.</param>
    /// <param name="cancellation">Gives up.</param>
    public static Task<StreamedProduct> StartAsync(string name, string folder, Uri provider, CancellationToken cancellation) => name == Names[0] ? AllInOneAsync(folder, provider, cancellation) : HostsAsync(folder, provider, cancellation);

    public async ValueTask DisposeAsync()
    {
        foreach (var (consumer, _) in Consumers)
        {
            consumer.Dispose();
        }

        foreach (var part in Enumerable.Reverse(parts))
        {
            await part.DisposeAsync();
        }
    }

    private static async Task<StreamedProduct> AllInOneAsync(string folder, Uri provider, CancellationToken cancellation)
    {
        var marketplace = await Marketplace.StartAsync(folder, provider, Organisations, cancellation);
        var consumers = new List<(Consumer, CellKey)>();
        foreach (var number in Enumerable.Range(0, Organisations))
        {
            consumers.Add(await ConsumerAsync(marketplace.Address, marketplace.BootstrapSecret, Marketplace.Consumer(number), cancellation));
        }

        return new StreamedProduct("`./run`", marketplace.Address, Marketplace.Model, marketplace.Keys[0], consumers, [("the process, all services and Redis in it", marketplace.ProcessId)]) { parts = { marketplace } };
    }

    private static async Task<StreamedProduct> HostsAsync(string folder, Uri provider, CancellationToken cancellation)
    {
        var site = await Site.StartAsync(folder, Console.WriteLine, cancellation, provider);
        using var first = new Consumer(site.Direct, site.BootstrapSecret);
        var warmUp = await first.CreateKeyAsync("warm-up", cancellation);
        var consumer = await ConsumerAsync(site.Direct, site.BootstrapSecret, "faults-consumer", cancellation);
        return new StreamedProduct(
            "Hosts", site.Direct, "faults/chat", warmUp.Text, [consumer], [("Gateway.Host, which serves `/v1`", site.Gateways[0].Process!.Id), ("Consumption.Host", site.Host("Consumption").Process!.Id)]) { parts = { site } };
    }

    private static async Task<(Consumer Consumer, CellKey Key)> ConsumerAsync(Uri address, string secret, string slug, CancellationToken cancellation)
    {
        var consumer = new Consumer(address, secret, slug);
        return (consumer, await consumer.CreateKeyAsync("streams", cancellation));
    }
}
