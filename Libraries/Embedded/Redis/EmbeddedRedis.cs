using System.Globalization;
using System.Security.Cryptography;
using Garnet;
using Microsoft.Extensions.Logging;

namespace LlmMarketplace.Embedded;

/// <summary>How the embedded Redis runs.</summary>
public sealed record EmbeddedRedisOptions
{
    /// <summary>The loopback port; 0 takes a free one.</summary>
    public int Port { get; init; }

    /// <summary>The password; null makes a random one.</summary>
    public string? Password { get; init; }

    /// <summary>Megabytes for the store, a power of two. What outgrows it is dropped, oldest first.</summary>
    public int MemoryMegabytes { get; init; } = 256;
}

/// <summary>
/// Garnet, a server that speaks Redis, in this process: on the loopback address, with a password, nothing kept on disk. Scripts are atomic
/// (<c>--lua-transaction-mode</c>; without it they are not).
/// </summary>
public sealed class EmbeddedRedis : IAsyncDisposable
{
    private const int PortAttempts = 5;
    private readonly GarnetServer server;

    private EmbeddedRedis(GarnetServer server, int port, string password) => (this.server, Port, Password) = (server, port, password);

    /// <summary>The loopback port it listens on.</summary>
    public int Port { get; }

    /// <summary>The default user's password.</summary>
    public string Password { get; }

    /// <summary>For StackExchange.Redis.</summary>
    public string ConnectionString => $"127.0.0.1:{Port.ToString(CultureInfo.InvariantCulture)},password={Password}";

    /// <summary>Starts it.</summary>
    /// <exception cref="EmbeddedServerException">The port is in use, or it refuses to start.</exception>
    public static EmbeddedRedis Start(EmbeddedRedisOptions? options = null)
    {
        options ??= new();
        var password = options.Password ?? RandomNumberGenerator.GetHexString(48, lowercase: true);
        if (options.Port != 0 && !FreePort.IsFree(options.Port))
        {
            throw new EmbeddedServerException($"Port {options.Port} is in use: stop what listens there, or choose another port for Redis.");
        }

        for (var attempt = 1; ; attempt++)
        {
            var port = options.Port != 0 ? options.Port : FreePort.Choose();
            GarnetServer? server = null;
            try
            {
                server = new GarnetServer(Arguments(port, password, options.MemoryMegabytes), Silent.Instance);
                server.Start();
                return new(server, port, password);
            }
            catch (System.Net.Sockets.SocketException) when (options.Port == 0 && attempt < PortAttempts)
            {
                server?.Dispose();
            }
            catch (Exception e)
            {
                server?.Dispose();
                throw new EmbeddedServerException($"The embedded Redis (Garnet) did not start on port {port}: {e.Message}", e);
            }
        }
    }

    /// <summary>Stops it; what it held is gone.</summary>
    public ValueTask DisposeAsync()
    {
        server.Dispose();
        return ValueTask.CompletedTask;
    }

    private static string[] Arguments(int port, string password, int megabytes) =>
    [
        "--bind", "127.0.0.1", "--port", port.ToString(CultureInfo.InvariantCulture), "--auth", "Password", "--password", password,
        "--lua", "--lua-transaction-mode", "--memory", $"{megabytes}m", "--page", "4m", "--segment", "64m", "--index", "16m",
        "--logger-level", "Error", "-q",
    ];

    /// <summary>Its log is of no use to anybody who does not develop Garnet.</summary>
    private sealed class Silent : ILoggerFactory, ILogger
    {
        public static readonly Silent Instance = new();

        public void AddProvider(ILoggerProvider provider)
        {
        }

        public ILogger CreateLogger(string categoryName) => this;

        public IDisposable? BeginScope<TState>(TState state) where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => false;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        {
        }

        public void Dispose()
        {
        }
    }
}
