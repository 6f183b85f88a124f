using LlmMarketplace.Consumption.Limits;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace LlmMarketplace.Consumption.Metering;

/// <summary>
/// Sees, once all is shipped and settled, whether this process leaves anything open: if not, nobody has to wait until it was not heard of for long, and build counters anew for it.
/// Started before everything that settles, so stopped after it.
/// </summary>
internal sealed class TakeLeave(InstanceLease lease, CallLimits limits, IServiceProvider services) : IHostedService
{
    public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StopAsync(CancellationToken cancellationToken)
    {
        var calls = services.GetService<OpenCalls>(); // A process that manages only forwards none.
        if (limits.IsSettled && calls?.IsEmpty != false)
        {
            lease.LeaveNothing();
        }

        return Task.CompletedTask;
    }
}
