using LlmMarketplace.Embedded;
using LlmMarketplace.Servers;

namespace LlmMarketplace.Benchmarks.Faults;

internal enum Target
{
    Client,
    Provider,
    Redis,
    Kafka,
    Postgres,
    Consumption,
}

internal enum Fault
{
    /// <summary><c>kill -9</c>, and started again.</summary>
    Killed,

    /// <summary>SIGSTOP, then SIGCONT.</summary>
    Paused,

    /// <summary>Nothing passes between it and the others, and nobody is told; then all goes on.</summary>
    CutOff,
}

/// <summary>One fault of one part.</summary>
internal sealed record Cell(Target Target, Fault Fault)
{
    public static IReadOnlyList<Cell> All { get; } = [.. Enum.GetValues<Target>().SelectMany(target => Enum.GetValues<Fault>().Select(fault => new Cell(target, fault)))];

    /// <summary><c>redis-killed</c>.</summary>
    public string Name => $"{Target}-{Fault}".ToLowerInvariant();

    /// <summary>For people.</summary>
    public string Title => $"{(Target == Target.Postgres ? "PostgreSQL" : Target.ToString())} {(Fault == Fault.CutOff ? "cut off" : Fault.ToString().ToLowerInvariant())}";

    /// <summary>How long it lasts, at least: Consumption is away for longer than Metering:LostAfter, so that others take it for dead.</summary>
    public TimeSpan Lasts => Target == Target.Consumption && Fault != Fault.Killed ? TimeSpan.FromSeconds(15) : TimeSpan.FromSeconds(5);

    /// <summary>Whether it can be made here.</summary>
    public bool IsPossible => Target != Target.Kafka || KafkaServer.SkipReason is null;

    public async Task BeginAsync(Site site, ChildProcess callers)
    {
        switch (this)
        {
            case { Fault: Fault.CutOff }:
                Networks(site).ForEach(network => network.Cut());
                break;
            case { Target: Target.Client }:
                callers.Send(Fault == Fault.Killed ? ProcessSignal.Kill : ProcessSignal.Pause);
                break;
            case { Target: Target.Consumption, Fault: Fault.Killed }:
                await site.Gateways[0].KillAsync();
                break;
            case { Target: Target.Consumption }:
                await site.Gateways[0].PauseAsync();
                break;
            case { Fault: Fault.Killed }:
                await (Target switch { Target.Provider => site.KillProviderAsync(), Target.Redis => site.KillRedisAsync(), Target.Kafka => site.KillKafkaAsync(), _ => site.KillPostgresAsync() });
                break;
            default:
                await SignalAsync(site, ProcessSignal.Pause);
                break;
        }
    }

    /// <summary>Ends the fault. A killed client is started again by whoever started it.</summary>
    public async Task EndAsync(Site site, ChildProcess callers)
    {
        switch (this)
        {
            case { Fault: Fault.CutOff }:
                Networks(site).ForEach(network => network.Mend());
                break;
            case { Target: Target.Client }:
                callers.Send(ProcessSignal.Continue);
                break;
            case { Target: Target.Consumption, Fault: Fault.Killed }:
                await site.Gateways[0].StartAsync();
                break;
            case { Target: Target.Consumption }:
                site.Gateways[0].Continue();
                break;
            case { Fault: Fault.Killed }:
                await (Target switch { Target.Provider => site.StartProviderAsync(), Target.Redis => site.StartRedisAsync(), Target.Kafka => site.StartKafkaAsync(), _ => site.StartPostgresAsync() });
                break;
            default:
                await SignalAsync(site, ProcessSignal.Continue);
                break;
        }
    }

    private Task SignalAsync(Site site, ProcessSignal signal) => Target switch
    {
        Target.Provider => site.SignalProviderAsync(signal),
        Target.Redis => site.SignalRedisAsync(signal),
        Target.Kafka => site.SignalKafkaAsync(signal),
        _ => site.SignalPostgresAsync(signal),
    };

    private List<TcpProxy> Networks(Site site) => Target switch
    {
        Target.Client => [.. site.ToGateways],
        Target.Provider => [site.ToProvider],
        Target.Redis => [.. site.ToRedis],
        Target.Kafka => [site.ToKafka!],
        Target.Postgres => [.. site.ToPostgres],
        _ => [site.ToPostgres[0], site.ToRedis[0]], // From all that it keeps its books with; callers and provider still reach it.
    };
}
