using System.Diagnostics;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.Options;

namespace LlmMarketplace.AllInOne;

/// <summary>
/// One application inside the process: a container and a configuration of its own. It sees the settings it is given and nothing else:
/// no file, and no variable such as ASPNETCORE_URLS, which speak to the process as a whole.
/// </summary>
internal sealed class InnerApplication(string name, WebApplication app, Uri address) : IAsyncDisposable
{
    private static readonly TimeSpan ReadyTimeout = TimeSpan.FromSeconds(90);
    private static readonly TimeSpan StopTimeout = TimeSpan.FromSeconds(1.5);

    public string Name => name;

    public WebApplication App => app;

    /// <summary>Where it is reached from this machine.</summary>
    public Uri Address => address;

    public static WebApplicationBuilder CreateBuilder(
        string name, string assembly, IEnumerable<KeyValuePair<string, string?>> settings, ProcessLog log, Action<KestrelServerOptions> listen)
    {
        var builder = WebApplication.CreateBuilder(new WebApplicationOptions
        {
            ApplicationName = assembly,
            ContentRootPath = AppContext.BaseDirectory,
            EnvironmentName = Environments.Production,
        });
        builder.Configuration.Sources.Clear();
        builder.Configuration.AddInMemoryCollection(settings);
        builder.Logging.ClearProviders().AddProvider(log.For(name));
        builder.Services.AddSingleton<IHostLifetime, OwnLifetime>();
        builder.Services.AddTransient<IStartupFilter>(_ => new MarkTraces(name));
        builder.Services.Configure<HostOptions>(host => host.ShutdownTimeout = StopTimeout);
        builder.WebHost.ConfigureKestrel(listen);
        return builder;
    }

    public async Task StartAsync(CancellationToken cancellation) => await app.StartAsync(cancellation);

    /// <summary>Waits until it says that it is ready.</summary>
    public async Task UntilReadyAsync(string path, CancellationToken cancellation)
    {
        using var http = new HttpClient { BaseAddress = address, Timeout = TimeSpan.FromSeconds(10) };
        var started = Stopwatch.GetTimestamp();
        while (true)
        {
            string said;
            try
            {
                using var response = await http.GetAsync(path, cancellation);
                if (response.IsSuccessStatusCode)
                {
                    return;
                }

                said = await response.Content.ReadAsStringAsync(cancellation);
            }
            catch (Exception e) when (e is HttpRequestException || (e is TaskCanceledException && !cancellation.IsCancellationRequested))
            {
                said = e.Message;
            }

            if (Stopwatch.GetElapsedTime(started) > ReadyTimeout)
            {
                throw new StartException($"The service {name} was not ready within {ReadyTimeout.TotalSeconds:0} s; it says: {said}");
            }

            await Task.Delay(25, cancellation);
        }
    }

    /// <summary>Stops it; what takes longer than it may is cut.</summary>
    public async ValueTask DisposeAsync()
    {
        using var patience = new CancellationTokenSource(app.Services.GetRequiredService<IOptions<HostOptions>>().Value.ShutdownTimeout);
        try
        {
            await app.StopAsync(patience.Token);
            await app.DisposeAsync().AsTask().WaitAsync(StopTimeout);
        }
        catch (Exception e) when (e is OperationCanceledException or TimeoutException or AggregateException)
        {
            // It had its time; what was under way is settled at the next start.
        }
    }

    private sealed class MarkTraces(string service) : IStartupFilter
    {
        public Action<IApplicationBuilder> Configure(Action<IApplicationBuilder> next) => app =>
        {
            app.Use((context, rest) =>
            {
                Activity.Current?.SetTag(ProcessLog.ServiceTag, service);
                return rest(context);
            });
            next(app);
        };
    }
}
