using System.Collections.Concurrent;
using LlmMarketplace.Consumption.Idempotency;
using LlmMarketplace.Consumption.Metering;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace LlmMarketplace.Consumption.Limits;

/// <summary>
/// All limits of a call, reserved or refused by one script; and the difference returned once it is known. Calls of one organisation that wait
/// together travel together (<see cref="Lane"/>), scripts of different organisations share the connection's pipeline.
/// </summary>
internal sealed class CallLimits(LimitScripts scripts, RedisClock clock, Counters counters, RedisRuns runs, IOptions<LimitOptions> options, TimeProvider time, ILogger<CallLimits> logger)
    : IHostedService, IDisposable
{
    private readonly LaneServices services = new(scripts, clock, counters, runs, new Departures(options.Value.SettleWithin, time), options.Value, time, logger);
    private readonly ConcurrentDictionary<Guid, Lane> lanes = new();

    /// <summary>Reserves all, or nothing. Who leaves while waiting leaves nothing behind.</summary>
    /// <exception cref="LimitsUnavailableException">Redis or the records cannot be reached, or too many wait: nobody may be admitted.</exception>
    public Task<LimitAnswer> ReserveAsync(Reservation asked, CancellationToken cancellationToken) => LaneOf(asked.OrganisationId).ReserveAsync(asked, cancellationToken);

    /// <summary>
    /// Replaces an admitted call's reservation by what was used, in the periods of its admission. Returns at once: it travels with the next admission of
    /// the organisation, or within <see cref="LimitOptions.SettleWithin"/>. Settling twice, or what was never reserved, changes nothing.
    /// </summary>
    public void Settle(AdmissionRow admission, long tokens, long nanos, EndedClaim? claim = null) =>
        LaneOf(admission.OrganisationId).Settle(new Release(admission.RequestId, LimitScripts.FieldOf(admission.KeyId), tokens, nanos, Claim: claim)
        {
            EndUserField = admission.EndUser is { } user ? LimitScripts.FieldOfEndUser(user) : null,
        });

    /// <summary>Gives back all that was reserved for a call that will not be forwarded.</summary>
    public void GiveBack(Reservation reservation) => LaneOf(reservation.OrganisationId).Settle(Release.OfAll(reservation));

    /// <summary>Whether all that was reserved here and ended is settled in Redis.</summary>
    public bool IsSettled => lanes.Values.All(lane => lane.IsSettled);

    public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    /// <summary>What is not settled by then is left to the sweeper, which builds the counters of ended instances anew.</summary>
    public async Task StopAsync(CancellationToken cancellationToken) =>
        await Task.WhenAll(lanes.Values.Select(lane => lane.DrainAsync(cancellationToken))).WaitAsync(services.Options.Timeout, time, cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);

    public void Dispose()
    {
        services.Departures.Dispose();
        foreach (var lane in lanes.Values)
        {
            lane.Dispose();
        }
    }

    private Lane LaneOf(Guid organisation) => lanes.TryGetValue(organisation, out var lane) ? lane : lanes.GetOrAdd(organisation, static (id, shared) => new Lane(id, shared), services);
}

/// <summary>Nobody may be admitted, for nobody can say whether the limits allow it.</summary>
internal sealed class LimitsUnavailableException(string message, Exception? inner) : Exception(message, inner);
