using System.Text.Json;
using Aspire.Hosting;
using Aspire.Hosting.ApplicationModel;
using Aspire.Hosting.Testing;

namespace LlmMarketplace.AppHost.Tests;

/// <summary>The whole marketplace, started once with its containers; without the developer's data volumes, so it starts from nothing and leaves nothing.</summary>
public sealed class StartedMarketplace : IAsyncLifetime
{
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(15); // Images may have to be fetched.

    private readonly string directory = Directory.CreateTempSubdirectory("llm-marketplace-apphost-").FullName;
    private DistributedApplication? app;
    private FirstRunResult? result;

    /// <summary>The running application.</summary>
    public DistributedApplication App => app!;

    /// <summary>What the first run left behind.</summary>
    public FirstRunResult FirstRun => result!;

    /// <summary>A client of the gateway that brings the consumer's key.</summary>
    public HttpClient Consumer() =>
        new() { BaseAddress = App.GetEndpoint("gateway", "http"), DefaultRequestHeaders = { Authorization = new("Bearer", FirstRun.ConsumerKey) } };

    /// <summary>Waits until a run-once resource has ended, and returns its exit code.</summary>
    public async Task<int?> ExitCodeAsync(string resource, CancellationToken cancellationToken)
    {
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        patience.CancelAfter(Patience);
        var ended = await App.ResourceNotifications.WaitForResourceAsync(
            resource,
            seen => seen.Snapshot.State?.Text is { } state && KnownResourceStates.TerminalStates.Contains(state),
            patience.Token);
        return ended.Snapshot.ExitCode;
    }

    /// <inheritdoc/>
    public async ValueTask InitializeAsync()
    {
        using var patience = new CancellationTokenSource(Patience);
        var builder = await DistributedApplicationTestingBuilder.CreateAsync<Projects.LlmMarketplace_AppHost>([$"--FirstRun:Directory={directory}", $"--UsageLog:Directory={Path.Combine(directory, "usage-log")}"], patience.Token);
        foreach (var server in builder.Resources.OfType<ContainerResource>())
        {
            foreach (var volume in server.Annotations.OfType<ContainerMountAnnotation>().Where(mount => mount.Type == ContainerMountType.Volume).ToList())
            {
                server.Annotations.Remove(volume);
            }
        }

        app = await builder.BuildAsync(patience.Token);
        await app.StartAsync(patience.Token);
        var exitCode = await ExitCodeAsync("first-run", patience.Token);
        Assert.True(exitCode == 0, $"The first run ended with exit code {exitCode}; without one, something that it waits for did not start. The log above says why.");
        result = JsonSerializer.Deserialize<FirstRunResult>(await File.ReadAllTextAsync(Path.Combine(directory, "first-run.json"), patience.Token), JsonSerializerOptions.Web);
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        if (app is not null)
        {
            await app.DisposeAsync();
        }

        Directory.Delete(directory, recursive: true);
    }
}

/// <summary>The file <c>FirstRun:ResultFile</c>.</summary>
/// <param name="ConsumerKey">An API key of the first consumer.</param>
/// <param name="Model">A model that it may call.</param>
public sealed record FirstRunResult(string ConsumerKey, string Model);
