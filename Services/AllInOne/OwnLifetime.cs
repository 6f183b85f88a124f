namespace LlmMarketplace.AllInOne;

/// <summary>Signals belong to the process: an application inside it starts and stops when it is told to, and listens to nothing else.</summary>
internal sealed class OwnLifetime : IHostLifetime
{
    public Task WaitForStartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
}
