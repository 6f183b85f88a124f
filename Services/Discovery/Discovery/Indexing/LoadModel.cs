using LlmMarketplace.Embedding;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace LlmMarketplace.Discovery.Indexing;

/// <summary>Loads the embedding model at start: a missing or damaged file is said to whoever starts the service, not to the first caller.</summary>
internal sealed class LoadModel(IServiceProvider services) : IHostedService
{
    public Task StartAsync(CancellationToken cancellationToken)
    {
        services.GetRequiredService<SentenceEmbedder>();
        return Task.CompletedTask;
    }

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
}
