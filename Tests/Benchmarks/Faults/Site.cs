using System.Globalization;
using System.Security.Cryptography;
using LlmMarketplace.Benchmarks.Gateway;
using LlmMarketplace.Embedded;
using LlmMarketplace.FirstRun;
using LlmMarketplace.Servers;
using Npgsql;

namespace LlmMarketplace.Benchmarks.Faults;

/// <summary>
/// The product as it runs in a cluster, every part a process of its own, and a network between them that can be cut:
/// <code>
/// callers ─┬─ proxy ─► gateway one ─┬─ proxies ─► PostgreSQL, Redis      ┐
///          └─ proxy ─► gateway two ─┤                                    │ all others, by proxies of their own: Kafka, PostgreSQL, Redis
///                                   └─ proxy ───► scripted provider      ┘ identity, publishing, admin, discovery, consumption
/// </code>
/// The gateways serve <c>/v1</c> themselves; "Consumption" in the matrix is gateway one, on its own.
/// </summary>
internal sealed class Site : IAsyncDisposable
{
    private const string Issuer = "http://localhost:1/"; // Only compared: services find Identity by its own address.
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(120);
    private static readonly string[] Services = ["Identity", "Publishing", "Admin", "Discovery", "Consumption"];
    private static readonly string RedisPassword = Secret();

    private readonly List<IAsyncDisposable> started = [];
    private readonly Dictionary<string, EmbeddedDatabase> databases = [];
    private readonly Dictionary<string, HostProcess> hosts = [];
    private readonly Dictionary<string, int> ports = Services.Append("Gateway").ToDictionary(service => service, _ => FreePort.Choose());
    private readonly Dictionary<string, string> clientSecrets = Services.Append("Gateway").ToDictionary(service => service, _ => Secret());
    private readonly (string Hmac, string Provider, string Identity, string Bootstrap) keys = (Key(), Key(), Key(), Secret());
    private readonly int redisPort = FreePort.Choose();
    private readonly int kafkaPort = FreePort.Choose();
    private readonly int kafkaController = FreePort.Choose();
    private readonly int providerPort = FreePort.Choose();
    private EmbeddedPostgres postgres = null!;
    private ChildProcess redis = null!;
    private ChildProcess? kafka;
    private ChildProcess? provider;
    private int postgresPort;

    private readonly Uri? ownProvider;

    private Site(string folder, Uri? provider) => (Folder, ownProvider) = (folder, provider);

    /// <summary>Where everything lies: data, ledgers, logs of the processes.</summary>
    public string Folder { get; }

    /// <summary>Gateway one and two.</summary>
    public HostProcess[] Gateways { get; } = new HostProcess[2];

    /// <summary>A service's own process.</summary>
    public HostProcess Host(string service) => hosts[service];

    /// <summary>Their folders of usage logs.</summary>
    public string[] UsageLogs => [.. Enumerable.Range(1, 2).Select(number => Path.Combine(Folder, $"usage-log-{number}"))];

    /// <summary>Where callers reach them.</summary>
    public Uri[] Addresses => [.. ToGateways.Select(proxy => Local(proxy.Port))];

    /// <summary>Gateway one, past the network that is cut.</summary>
    public Uri Direct { get; private set; } = null!;

    public string ProviderLedger => Path.Combine(Folder, "provider.ledger");

    public TcpProxy[] ToGateways { get; } = new TcpProxy[2];

    /// <summary>Gateway one's own ways to PostgreSQL and Redis, then everybody else's.</summary>
    public TcpProxy[] ToPostgres { get; } = new TcpProxy[2];

    public TcpProxy[] ToRedis { get; } = new TcpProxy[2];

    public TcpProxy ToProvider { get; private set; } = null!;

    /// <summary>Null: there is no Kafka here, and events go by the feed.</summary>
    public TcpProxy? ToKafka { get; private set; }

    public string BootstrapSecret => keys.Bootstrap;

    /// <summary>The ledgers of the service: its database, as an auditor who is let in.</summary>
    public NpgsqlDataSource Database() =>
        NpgsqlDataSource.Create(new NpgsqlConnectionStringBuilder(postgres.AdministratorConnectionString) { Database = "consumption", Pooling = false }.ConnectionString);

    /// <param name="folder">For data, ledgers and logs.</param>
    /// <param name="say">Told what is done.</param>
    /// <param name="cancellation">Gives up.</param>
    /// <param name="provider">Another provider than the scripted one; it is reached without a network that can be cut.</param>
    public static async Task<Site> StartAsync(string folder, Action<string> say, CancellationToken cancellation, Uri? provider = null)
    {
        var site = new Site(folder, provider);
        try
        {
            await site.StartServersAsync(say);
            await site.StartProductAsync(say);
            say("publishing the provider's service");
            var options = new FirstRunOptions(site.Direct, "bootstrap", site.keys.Bootstrap, Path.Combine(folder, "first-run.state")) { Catalogue = Path.Combine(AppContext.BaseDirectory, "Faults", "catalogue.yaml") };
            await FirstRunProgram.RunAsync(options, new Progress<string>(), cancellation);
            return site;
        }
        catch
        {
            await site.DisposeAsync();
            throw;
        }
    }

    public async Task StartPostgresAsync() =>
        postgres = await EmbeddedPostgres.StartAsync(new() { Directory = Path.Combine(Folder, "postgres"), Port = postgresPort, MaxConnections = 400 });

    public async Task StartRedisAsync() => redis = await Programs.StartUntilAsync("Ready to accept connections", Patience, new()
    {
        FileName = "redis-server",
        Arguments = ["--bind", "127.0.0.1", "--port", Text(redisPort), "--requirepass", RedisPassword, "--save", "", "--appendonly", "no", "--dir", Folder],
        OnLine = Log("redis"),
    });

    public async Task StartKafkaAsync() => kafka = await Programs.StartUntilAsync("Kafka Server started", Patience, new()
    {
        FileName = Path.Combine(RepositoryRoot.Shared!, "backends", "kafka", "run"),
        Arguments =
        [
            "--port", Text(kafkaPort), "--controller-port", Text(kafkaController), "--data", Path.Combine(Folder, "kafka"),
            "--set", $"advertised.listeners=PLAINTEXT://127.0.0.1:{Text(ToKafka!.Port)}", // Clients go on to where the broker says that it is: through the network.
        ],
        OnLine = Log("kafka"),
    });

    public async Task StartProviderAsync() => provider = await OwnAsync("faults-provider", "--port", Text(providerPort), "--ledger", ProviderLedger);

    /// <summary>Starts callers of a key.</summary>
    public Task<ChildProcess> StartCallersAsync(string key, string ledger, int callers) =>
        OwnAsync("faults-callers", ["--key", key, "--ledger", ledger, "--callers", Text(callers), .. Addresses.SelectMany(address => new[] { "--gateway", address.AbsoluteUri })]);

    public async Task KillPostgresAsync()
    {
        using (var process = System.Diagnostics.Process.GetProcessById(postgres.ProcessId))
        {
            process.Kill();
        }

        await postgres.Exited;
        await postgres.DisposeAsync();
    }

    public Task KillRedisAsync() => KillAsync(redis);

    public Task KillKafkaAsync() => KillAsync(kafka!);

    public Task KillProviderAsync() => KillAsync(provider!);

    public Task SignalPostgresAsync(ProcessSignal signal) => SignalAsync(postgres.ProcessId, signal);

    public Task SignalRedisAsync(ProcessSignal signal) => SignalAsync(redis.Id, signal);

    public Task SignalKafkaAsync(ProcessSignal signal) => SignalAsync(kafka!.Id, signal);

    public Task SignalProviderAsync(ProcessSignal signal) => SignalAsync(provider!.Id, signal);

    public async ValueTask DisposeAsync()
    {
        foreach (var gateway in Gateways.Where(gateway => gateway is not null))
        {
            await gateway.DisposeAsync();
        }

        foreach (var one in Enumerable.Reverse(started).Concat(new IAsyncDisposable?[] { provider, kafka, redis, postgres }.OfType<IAsyncDisposable>()))
        {
            await one.DisposeAsync();
        }
    }

    private static Uri Local(int port) => new($"http://127.0.0.1:{Text(port)}/");

    private static string Text(int number) => number.ToString(CultureInfo.InvariantCulture);

    private static string Key() => Convert.ToBase64String(RandomNumberGenerator.GetBytes(32));

    private static string Secret() => RandomNumberGenerator.GetHexString(40, lowercase: true);

    private static async Task KillAsync(ChildProcess process)
    {
        process.Send(ProcessSignal.Kill);
        await process.Exited;
        await process.DisposeAsync();
    }

    /// <summary>Signals a process and all that it has forked: PostgreSQL's backends are processes of their own.</summary>
    private static async Task SignalAsync(int root, ProcessSignal signal)
    {
        var (code, output) = await ChildProcess.RunAsync(new() { FileName = "kill", Arguments = [$"-{Text((int)signal)}", .. new ProcessTree(root).Members().Select(Text)] });
        if (code != 0)
        {
            throw new InvalidOperationException($"kill -{Text((int)signal)}: {output}"); // A backend that has just ended is no fault of ours, but hides none either: nothing ends a paused one.
        }
    }

    private async Task StartServersAsync(Action<string> say)
    {
        say("starting PostgreSQL, Redis" + (KafkaServer.SkipReason is null ? ", Kafka" : "") + " and the provider");
        await StartPostgresAsync();
        postgresPort = postgres.Port;
        await StartRedisAsync();
        for (var side = 0; side < 2; side++)
        {
            ToPostgres[side] = Network(postgresPort);
            ToRedis[side] = Network(redisPort);
        }

        ToProvider = Network(providerPort);
        if (KafkaServer.SkipReason is null)
        {
            ToKafka = Network(kafkaPort);
            await StartKafkaAsync();
        }

        if (ownProvider is null)
        {
            await StartProviderAsync();
        }
    }

    private async Task StartProductAsync(Action<string> say)
    {
        say("migrating databases");
        foreach (var service in Services)
        {
            var name = service.ToLowerInvariant();
            databases[name] = await postgres.CreateDatabaseAsync(name, $"{name}_owner", Secret(), $"{name}_app", Secret());
        }

        foreach (var service in Services)
        {
            hosts[service] = new HostProcess(service, Settings(service, ports[service], side: 1), Log(service));
        }

        await Task.WhenAll(hosts.Values.Select(host => host.MigrateAsync()));
        foreach (var service in Services)
        {
            say($"starting {service}");
            started.Add(hosts[service]);
            await hosts[service].StartAsync();
        }

        for (var number = 0; number < 2; number++)
        {
            say($"starting gateway {number + 1}");
            var port = number == 0 ? ports["Gateway"] : FreePort.Choose();
            ToGateways[number] = Network(port);
            Gateways[number] = new HostProcess("Gateway", [.. Settings("Gateway", port, side: number), new("Metering:LogDirectory", UsageLogs[number]), new("Metering:LogSegmentMegabytes", "64")], Log($"gateway-{number + 1}"));
            await Gateways[number].StartAsync();
        }

        Direct = Local(ports["Gateway"]);
    }

    private List<KeyValuePair<string, string?>> Settings(string service, int port, int side)
    {
        var database = service == "Gateway" ? "consumption" : service.ToLowerInvariant();
        List<KeyValuePair<string, string?>> settings =
        [
            new("ASPNETCORE_URLS", $"http://127.0.0.1:{Text(port)}"),
            new("Messaging:Transport", ToKafka is null ? "Feed" : "Kafka"),
            new("ConnectionStrings:kafka", ToKafka is null ? null : $"127.0.0.1:{Text(ToKafka.Port)}"),
            new("ConnectionStrings:redis", $"127.0.0.1:{Text(ToRedis[side].Port)},password={RedisPassword}"),
            new($"ConnectionStrings:{database}", new NpgsqlConnectionStringBuilder(databases[database].AppConnectionString) { Port = ToPostgres[side].Port, MaxPoolSize = 40 }.ConnectionString),
            new($"ConnectionStrings:{database}-owner", service == "Gateway" ? null : databases[database].OwnerConnectionString),
            new("Identity:Issuer", Issuer),
            new("Identity:Client:Id", $"svc-{service.ToLowerInvariant()}"),
            new("Identity:Client:Secret", clientSecrets[service]),
            new("Keys:ApiKeyHmac", keys.Hmac),
            new("Keys:ProviderSecrets", keys.Provider),
            new("Keys:Identity", keys.Identity),
            new("Providers:Local:faults:Address", (ownProvider ?? Local(ToProvider.Port)).AbsoluteUri.TrimEnd('/')),
            new("Providers:Local:faults:Organisation", "faults"),
            .. ports.Select(pair => new KeyValuePair<string, string?>($"services:{pair.Key.ToLowerInvariant()}:http:0", Local(pair.Value).AbsoluteUri.TrimEnd('/'))),
        ];
        if (service == "Identity")
        {
            settings.AddRange(
            [
                new("Identity:Administrator:Email", "admin@faults.test"),
                new("Identity:Administrator:Password", $"Aa1-{Secret()}"),
                new("Identity:BootstrapClient:Id", "bootstrap"),
                new("Identity:BootstrapClient:Secret", keys.Bootstrap),
                .. clientSecrets.Select(pair => new KeyValuePair<string, string?>($"Identity:ServiceClients:{pair.Key.ToLowerInvariant()}", pair.Value)),
            ]);
        }

        return settings;
    }

    private TcpProxy Network(int target)
    {
        var proxy = new TcpProxy(target);
        started.Add(proxy);
        return proxy;
    }

    private Task<ChildProcess> OwnAsync(string command, params string[] arguments) => Programs.StartUntilAsync("ready", Patience, new()
    {
        FileName = "dotnet",
        Arguments = [typeof(Site).Assembly.Location, command, .. arguments],
        OnLine = Log(command),
    });

    private Action<string> Log(string name)
    {
        var file = Path.Combine(Folder, $"{name}.log");
        return line =>
        {
            lock (started)
            {
                File.AppendAllText(file, line + "\n");
            }
        };
    }
}
