using System.Diagnostics.Metrics;
using LlmMarketplace.Servers;
using Microsoft.Extensions.DependencyInjection;

namespace LlmMarketplace.Consumption.Tests;

/// <summary>What an instance counted.</summary>
internal sealed class Counted : IDisposable
{
    private readonly MeterListener listener = new();
    private long count;

    public Counted(TestService instance, string name)
    {
        var factory = instance.App.Services.GetRequiredService<IMeterFactory>();
        listener.InstrumentPublished = (instrument, self) =>
        {
            if (instrument.Name == name && ReferenceEquals(instrument.Meter.Scope, factory))
            {
                self.EnableMeasurementEvents(instrument);
            }
        };
        listener.SetMeasurementEventCallback<long>((_, value, _, _) => Interlocked.Add(ref count, value));
        listener.Start();
    }

    public long Count => Interlocked.Read(ref count);

    public void Dispose() => listener.Dispose();
}
