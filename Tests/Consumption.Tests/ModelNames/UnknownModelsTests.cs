using System.Collections.Concurrent;
using System.Diagnostics.Metrics;
using LlmMarketplace.Servers;
using Xunit;

namespace LlmMarketplace.Consumption.Tests.ModelNames;

public sealed class UnknownModelsTests(Marketplace marketplace)
{
    [Fact]
    public async Task Whatever_callers_name_stands_in_no_metric()
    {
        var series = new ConcurrentDictionary<string, bool>();
        using var listener = new MeterListener
        {
            InstrumentPublished = (instrument, listening) =>
            {
                if (instrument.Meter.Name is "LlmMarketplace.Consumption" or "Microsoft.AspNetCore.Hosting")
                {
                    listening.EnableMeasurementEvents(instrument);
                }
            },
        };
        listener.SetMeasurementEventCallback<long>((instrument, _, tags, _) => Note(instrument, tags));
        listener.SetMeasurementEventCallback<double>((instrument, _, tags, _) => Note(instrument, tags));
        listener.Start();
        using var shop = await Shop.OpenAsync(marketplace, ProviderScripts.Chat("hi", 1, 1));

        var answers = await Task.WhenAll(Enumerable.Range(0, 300).Select(i => shop.Client.PostJsonAsync(
            i % 2 == 0 ? "/v1/chat/completions" : $"/v1/made-up-{i}", $$"""{"model":"nobody/unheard-of-{{i}}",{{Shop.Hello}}}""")));

        Assert.All(answers, answer => Assert.Equal(404, (int)answer.StatusCode));
        Assert.Contains(series.Keys, one => one.StartsWith("marketplace.calls.refused", StringComparison.Ordinal) && one.Contains("model_not_found", StringComparison.Ordinal));
        Assert.Contains(series.Keys, one => one.StartsWith("http.server.request.duration", StringComparison.Ordinal));
        Assert.DoesNotContain(series.Keys, one => one.Contains("unheard-of", StringComparison.Ordinal) || one.Contains("made-up", StringComparison.Ordinal));

        void Note(Instrument instrument, ReadOnlySpan<KeyValuePair<string, object?>> tags) => series[instrument.Name + " " + string.Join(',', tags.ToArray())] = true;
    }
}
