using System.Globalization;
using LlmMarketplace.Embedded;
using LlmMarketplace.Servers;

namespace LlmMarketplace.Benchmarks.Gateway;

/// <summary>Starts the contenders, each as its users start it, and stops them.</summary>
internal sealed class Contenders : IAsyncDisposable
{
    /// <summary>Each is an organisation of the tier enterprise, 1 000 requests a second: their limits are on, and together they are above what the machine can do.</summary>
    private const int Consumers = 24;

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(120);
    private readonly List<IAsyncDisposable> started = [];
    private readonly string folder = Directory.CreateTempSubdirectory("llm-marketplace-bench").FullName;
    private Uri upstream = null!;

    /// <summary>Whether the marketplace tells Linux's perf the names of its functions, which costs it a little.</summary>
    public bool NamesFunctions { get; init; }

    public static string[] Names { get; } = ["upstream", "nginx", "yarp", "portkey", "marketplace"];

    public async Task<List<Contender>> StartAsync(IReadOnlyCollection<string> wanted, Action<string> say, CancellationToken cancellation)
    {
        var contenders = new List<Contender>();
        foreach (var name in Names.Where(name => wanted.Count == 0 || name == "upstream" || wanted.Contains(name)))
        {
            say($"starting {name}");
            contenders.Add(name switch
            {
                "upstream" => await UpstreamAsync(),
                "nginx" => await NginxAsync(),
                "yarp" => await YarpAsync(),
                "portkey" => await PortkeyAsync(),
                _ => await MarketplaceAsync(cancellation),
            });
        }

        return contenders;
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var one in Enumerable.Reverse(started))
        {
            await one.DisposeAsync();
        }

        Directory.Delete(folder, recursive: true);
    }

    private async Task<Contender> UpstreamAsync()
    {
        var port = FreePort.Choose();
        await OwnAsync("upstream", port);
        upstream = Local(port);
        return new Contender("upstream alone", upstream, null);
    }

    private async Task<Contender> YarpAsync()
    {
        var port = FreePort.Choose();
        var process = await OwnAsync("yarp", port, "--upstream", upstream.AbsoluteUri);
        return new Contender("YARP alone", Local(port), new ProcessTree(process.Id));
    }

    private async Task<Contender> NginxAsync()
    {
        var port = FreePort.Choose();
        var configuration = Path.Combine(folder, "nginx.conf");
        await File.WriteAllTextAsync(configuration, $$"""
            worker_processes 2;
            daemon off;
            pid {{folder}}/nginx.pid;
            error_log stderr crit;
            events { worker_connections 4096; }
            http {
              access_log off;
              client_body_temp_path {{folder}}/body; proxy_temp_path {{folder}}/proxy; fastcgi_temp_path {{folder}}/fastcgi; uwsgi_temp_path {{folder}}/uwsgi; scgi_temp_path {{folder}}/scgi;
              keepalive_requests 100000000;
              upstream provider { server {{upstream.Authority}}; keepalive 256; keepalive_requests 100000000; }
              server {
                listen 127.0.0.1:{{port}};
                location / { proxy_pass http://provider; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_buffering off; }
              }
            }
            """);
        var process = await ChildProcess.StartAsync(new() { FileName = "nginx", Arguments = ["-c", configuration, "-p", folder, "-e", "stderr"], DeathSignal = ProcessSignal.Terminate });
        started.Add(new Stopped(process));
        await AnswersAsync(port, process);
        return new Contender("nginx, plain proxy", Local(port), new ProcessTree(process.Id));
    }

    private async Task<Contender> PortkeyAsync()
    {
        var port = FreePort.Choose();
        var package = Environment.GetEnvironmentVariable("BENCH_PORTKEY") ?? throw new InvalidOperationException("BENCH_PORTKEY does not say where @portkey-ai/gateway is: start this with ./bench, which installs it.");
        var process = await ChildProcess.StartAsync(new()
        {
            FileName = "node",
            Arguments = [Path.Combine(package, "build", "start-server.js"), $"--port={port.ToString(CultureInfo.InvariantCulture)}", "--headless"],
            Environment = new Dictionary<string, string?> { ["NODE_ENV"] = "production", ["TRUSTED_CUSTOM_HOSTS"] = "127.0.0.1,localhost" },
        });
        started.Add(process);
        await AnswersAsync(port, process);
        return new Contender("Portkey", Local(port), new ProcessTree(process.Id))
        {
            Headers = new Dictionary<string, string> { ["x-portkey-provider"] = "openai", ["x-portkey-custom-host"] = $"{upstream.AbsoluteUri}v1", ["Authorization"] = "Bearer bench-key" },
        };
    }

    private async Task<Contender> MarketplaceAsync(CancellationToken cancellation)
    {
        var marketplace = await Marketplace.StartAsync(folder, upstream, Consumers, cancellation, NamesFunctions);
        started.Add(marketplace);
        return new Contender("LlmMarketplace", marketplace.Address, new ProcessTree(marketplace.ProcessId)) { Model = Marketplace.Model, Keys = marketplace.Keys };
    }

    private async Task<ChildProcess> OwnAsync(string command, int port, params string[] arguments)
    {
        var process = await Programs.StartUntilAsync("ready", Patience, new()
        {
            FileName = "dotnet",
            Arguments = [typeof(Contenders).Assembly.Location, command, "--port", port.ToString(CultureInfo.InvariantCulture), .. arguments],
        });
        started.Add(process);
        return process;
    }

    private static async Task AnswersAsync(int port, ChildProcess process)
    {
        using var http = new HttpClient { BaseAddress = Local(port) };
        using var patience = new CancellationTokenSource(Patience);
        while (true)
        {
            try
            {
                using var answer = await http.GetAsync("/", patience.Token);
                return;
            }
            catch (HttpRequestException) when (!process.Exited.IsCompleted)
            {
                await Task.Delay(50, patience.Token);
            }
            catch (HttpRequestException)
            {
                throw new InvalidOperationException($"It ended: {string.Join('\n', process.LastLines)}");
            }
        }
    }

    /// <summary>Asked to stop, not killed: it has workers to take with it.</summary>
    private sealed class Stopped(ChildProcess process) : IAsyncDisposable
    {
        public async ValueTask DisposeAsync()
        {
            await process.StopAsync(ProcessSignal.Terminate, TimeSpan.FromSeconds(5));
            await process.DisposeAsync();
        }
    }

    private static Uri Local(int port) => new($"http://127.0.0.1:{port.ToString(CultureInfo.InvariantCulture)}/");
}
