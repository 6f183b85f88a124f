using System.Net;
using LlmMarketplace.ServiceDefaults;
using LlmMarketplace.Storage;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Server.Kestrel.Core;

namespace LlmMarketplace.AllInOne;

/// <summary>
/// Every service as an application of its own in this process. Start: all databases are migrated, then Identity (everybody needs its keys),
/// then the others side by side, then the gateway, the only one that is reached from outside. Stop: the other way round.
/// </summary>
internal sealed class ServiceApplications : IAsyncDisposable
{
    private readonly List<InnerApplication> running = [];
    private readonly TaskCompletionSource<string> failed = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private bool stopping;

    /// <summary>Ends with the name of a service that gave up by itself.</summary>
    public Task<string> Failed => failed.Task;

    public static async Task<ServiceApplications> StartAsync(
        RunOptions options, ServiceSettings settings, IReadOnlyDictionary<string, LoopbackListener> listeners, ProcessLog log, Progress progress, CancellationToken cancellation)
    {
        var all = new ServiceApplications();
        try
        {
            var apps = Services.All.ToDictionary(service => service.Name, service => all.Build(service, options, settings, listeners, log));
            await progress.StepAsync("Databases", () => Task.WhenAll(
                Services.All.Where(service => service.Database is not null).Select(service => apps[service.Name].App.Services.MigrateDatabasesAsync(cancellation))));
            foreach (var stage in Services.All.GroupBy(Stage).OrderBy(stage => stage.Key))
            {
                await Task.WhenAll(stage.Select(service => all.StartAsync(apps[service.Name], progress, options, cancellation)));
            }

            return all;
        }
        catch
        {
            await all.DisposeAsync();
            throw;
        }
    }

    public async ValueTask DisposeAsync()
    {
        stopping = true;
        foreach (var stage in running.GroupBy(app => Stage(Services.All.Single(service => service.Name == app.Name))).OrderByDescending(stage => stage.Key))
        {
            await Task.WhenAll(stage.Select(app => app.DisposeAsync().AsTask()));
        }
    }

    private static int Stage(ServiceDefinition service) => service.Name switch
    {
        "identity" => 0,
        Services.Gateway => 2,
        _ => 1,
    };

    private InnerApplication Build(
        ServiceDefinition service, RunOptions options, ServiceSettings settings, IReadOnlyDictionary<string, LoopbackListener> listeners, ProcessLog log)
    {
        var builder = InnerApplication.CreateBuilder(service.Name, service.Assembly, settings.For(service), log, kestrel =>
        {
            listeners[service.Name].HandOver(kestrel);
            if (service.Name == Services.Gateway)
            {
                ListenPublicly(kestrel, options);
            }
        });
        builder.AddServiceDefaults(service.Name);
        builder.Services.AddSingleton(settings.RedisTunnel);
        service.Add(builder);
        builder.AddBackingClients();

        var app = builder.Build();
        app.MapServiceDefaults();
        service.Map(app);
        app.Lifetime.ApplicationStopping.Register(() =>
        {
            if (!stopping)
            {
                failed.TrySetResult(service.Name);
            }
        });
        var application = new InnerApplication(service.Name, app, listeners[service.Name].Address);
        running.Add(application);
        return application;
    }

    // "localhost" means both loopback addresses, and clients try either first.
    private static void ListenPublicly(KestrelServerOptions kestrel, RunOptions options)
    {
        if (IPAddress.IsLoopback(options.Listen))
        {
            kestrel.ListenLocalhost(options.Port);
        }
        else
        {
            kestrel.Listen(options.Listen, options.Port);
        }
    }

    private async Task StartAsync(InnerApplication app, Progress progress, RunOptions options, CancellationToken cancellation)
    {
        try
        {
            await progress.StepAsync(app.Name, async () =>
            {
                await app.StartAsync(cancellation);
                var ready = app.UntilReadyAsync("/health/ready", cancellation);
                if (await Task.WhenAny(ready, Failed) == Failed)
                {
                    throw new StartException($"The service {await Failed} gave up while starting: its log says why.");
                }

                await ready;
            });
        }
        catch (IOException e) when (e.InnerException is AddressInUseException)
        {
            throw new StartException(PortInUse(options), e);
        }
    }

    public static string PortInUse(RunOptions options) => $"Port {options.Port} is in use: stop what listens there, or choose another with --port.";
}
