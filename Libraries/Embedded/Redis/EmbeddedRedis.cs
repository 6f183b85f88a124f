using System.Globalization;
using System.Security.Cryptography;
using Garnet;
using Garnet.networking;
using Garnet.server;
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
    private readonly Server server;

    private EmbeddedRedis(Server server, int port, string password) => (this.server, Port, Password) = (server, port, password);

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
            Server? server = null;
            try
            {
                server = new Server(Arguments(port, password, options.MemoryMegabytes));
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

    /// <summary>
    /// Connects without a socket: what is written is worked off by whoever writes it, and its answers can be read when the write ends. A connection over loopback costs four hand-overs between threads for each trip.
    /// </summary>
    /// <returns>A stream to write commands to (RESP, as over TCP; the password is asked for) and to read answers from. It ends with the server, or when it is disposed.</returns>
    /// <exception cref="IOException">The server has stopped.</exception>
    public Stream Connect() => server.Connect();

    /// <summary>Stops it; what it held is gone.</summary>
    public ValueTask DisposeAsync()
    {
        server.Stop();
        return ValueTask.CompletedTask;
    }

    private static string[] Arguments(int port, string password, int megabytes) =>
    [
        "--bind", "127.0.0.1", "--port", port.ToString(CultureInfo.InvariantCulture), "--auth", "Password", "--password", password,
        "--lua", "--lua-transaction-mode", "--memory", $"{megabytes}m", "--page", "4m", "--segment", "64m", "--index", "16m",
        "--logger-level", "Error", "-q",
    ];

    private sealed class Server(string[] arguments) : GarnetServer(arguments, Silent.Instance)
    {
        private readonly Lock gate = new();
        private readonly HashSet<InProcessConnection> connections = [];
        private GarnetProvider? provider;
        private bool stopped;

        public InProcessConnection Connect()
        {
            lock (gate)
            {
                if (stopped)
                {
                    throw new IOException("The embedded Redis (Garnet) has stopped.");
                }

                provider ??= new GarnetProvider(storeWrapper, storeWrapper.subscribeBroker);
                var connection = new InProcessConnection(sender => provider.GetSession(WireFormat.ASCII, sender), Forget);
                connections.Add(connection);
                return connection;
            }
        }

        public void Stop()
        {
            List<InProcessConnection> open;
            lock (gate)
            {
                if (stopped)
                {
                    return;
                }

                stopped = true;
                open = [.. connections];
            }

            open.ForEach(connection => connection.Dispose());
            Dispose();
        }

        private void Forget(InProcessConnection connection)
        {
            lock (gate)
            {
                connections.Remove(connection);
            }
        }
    }

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
