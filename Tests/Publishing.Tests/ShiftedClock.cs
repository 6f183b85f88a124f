using Microsoft.Extensions.DependencyInjection;

namespace LlmMarketplace.Publishing.Tests;

/// <summary>The real clock, which a test can put forward: timers go on as they do, but it is later.</summary>
public sealed class ShiftedClock : TimeProvider
{
    private long shift;

    public void Advance(TimeSpan by) => Interlocked.Add(ref shift, by.Ticks);

    public override DateTimeOffset GetUtcNow() => base.GetUtcNow().AddTicks(Volatile.Read(ref shift));
}

internal static class Clocks
{
    public static void AddClock(this IServiceCollection services, TimeProvider clock) => services.AddSingleton(clock);
}
