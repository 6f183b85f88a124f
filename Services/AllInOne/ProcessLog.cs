using System.Globalization;
using LlmMarketplace.ServiceDefaults;
using OpenTelemetry.Resources;

namespace LlmMarketplace.AllInOne;

/// <summary>
/// The one log, tracer and meter of the process: listeners are process-wide, so services share them and mark what is theirs with
/// <c>marketplace.service</c>. Lines go to DIR/logs/marketplace.log, and by OTLP where OTEL_EXPORTER_OTLP_ENDPOINT says.
/// </summary>
internal sealed class ProcessLog : IAsyncDisposable
{
    public const string ServiceTag = "marketplace.service";
    private readonly IHost host;

    private ProcessLog(IHost host, string file) => (this.host, File) = (host, file);

    public string File { get; }

    public static async Task<ProcessLog> StartAsync(DataDirectory data, CancellationToken cancellation)
    {
        var file = Path.Combine(data.Logs, "marketplace.log");
        Directory.CreateDirectory(data.Logs);
        var builder = Host.CreateEmptyApplicationBuilder(new());
        builder.Logging
            .SetMinimumLevel(LogLevel.Information)
            .AddFilter("Microsoft", LogLevel.Warning)
            .AddFilter("System", LogLevel.Warning)
            .AddFilter("Yarp", LogLevel.Warning)
            .AddFilter("Polly", LogLevel.Warning)
            .AddFilter("OpenIddict", LogLevel.Warning)
            .AddProvider(new LogFile(file));
        builder.Services.AddSingleton<IHostLifetime, OwnLifetime>();
        builder.Services.AddProcessTelemetry(Environment.GetEnvironmentVariable("OTEL_EXPORTER_OTLP_ENDPOINT"), resource => resource
            .AddService("all-in-one", serviceNamespace: "llm-marketplace"));
        var host = builder.Build();
        await host.StartAsync(cancellation);
        return new(host, file);
    }

    /// <summary>What a service logs through.</summary>
    public ILoggerProvider For(string service) => new Forwarding(host.Services.GetRequiredService<ILoggerFactory>(), service);

    public async ValueTask DisposeAsync()
    {
        await host.StopAsync(CancellationToken.None);
        await ((IAsyncDisposable)host).DisposeAsync();
    }

    private sealed class Forwarding(ILoggerFactory shared, string service) : ILoggerProvider
    {
        public ILogger CreateLogger(string categoryName) => new Marked(shared.CreateLogger(categoryName), service);

        public void Dispose()
        {
        }
    }

    private sealed class Marked(ILogger shared, string service) : ILogger
    {
        private readonly KeyValuePair<string, object>[] mark = [new(ServiceTag, service)];

        public IDisposable? BeginScope<TState>(TState state) where TState : notnull => shared.BeginScope(state);

        public bool IsEnabled(LogLevel logLevel) => shared.IsEnabled(logLevel);

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        {
            if (IsEnabled(logLevel))
            {
                using (shared.BeginScope(mark))
                {
                    shared.Log(logLevel, eventId, state, exception, formatter);
                }
            }
        }
    }

    private sealed class LogFile(string path) : ILoggerProvider, ISupportExternalScope
    {
        private const long Limit = 16 * 1024 * 1024;
        private readonly Lock turn = new();
        private StreamWriter writer = Open(path);
        private IExternalScopeProvider scopes = new LoggerExternalScopeProvider();

        public ILogger CreateLogger(string categoryName) => new Writer(this, categoryName);

        public void SetScopeProvider(IExternalScopeProvider scopeProvider) => scopes = scopeProvider;

        public void Dispose()
        {
            lock (turn)
            {
                writer.Dispose();
            }
        }

        private static StreamWriter Open(string path) => new(new FileStream(path, new FileStreamOptions
        {
            Mode = FileMode.Append,
            Access = FileAccess.Write,
            Share = FileShare.ReadWrite,
            UnixCreateMode = PrivateFile.Mode,
        }))
        { AutoFlush = true };

        private void Write(LogLevel level, string category, string message, Exception? exception)
        {
            var service = "";
            scopes.ForEachScope((scope, _) => service = (scope as KeyValuePair<string, object>[])?.FirstOrDefault(tag => tag.Key == ServiceTag).Value as string ?? service, 0);
            var now = TimeProvider.System.GetUtcNow().ToString("yyyy-MM-ddTHH:mm:ss.fffZ", CultureInfo.InvariantCulture);
            lock (turn)
            {
                if (writer.BaseStream.CanWrite)
                {
                    writer.WriteLine($"{now} {level,-11} {service,-11} {category}: {message}{(exception is null ? "" : $"\n{exception}")}");
                    Turn();
                }
            }
        }

        private void Turn()
        {
            if (writer.BaseStream.Length > Limit)
            {
                writer.Dispose();
                System.IO.File.Move(path, path + ".1", overwrite: true);
                writer = Open(path);
            }
        }

        private sealed class Writer(LogFile file, string category) : ILogger
        {
            public IDisposable? BeginScope<TState>(TState state) where TState : notnull => null;

            public bool IsEnabled(LogLevel logLevel) => logLevel != LogLevel.None;

            public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) =>
                file.Write(logLevel, category, formatter(state, exception), exception);
        }
    }
}
