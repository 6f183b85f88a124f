namespace LlmMarketplace.Benchmarks.Streams;

/// <summary>Times of single calls, one after the other on one connection, in milliseconds.</summary>
/// <param name="FirstToken">Until the first event of a stream.</param>
/// <param name="Stream">Until the end of a stream.</param>
/// <param name="Plain">Until the end of a plain answer.</param>
internal sealed record Times(List<double> FirstToken, List<double> Stream, List<double> Plain)
{
    /// <summary>The value that this part of all lie below.</summary>
    public static double Quantile(IReadOnlyCollection<double> times, double part)
    {
        var ordered = times.Order().ToArray();
        return ordered[Math.Min(ordered.Length - 1, (int)(ordered.Length * part))];
    }
}

/// <summary>What the product adds to a call beside the provider alone: both are asked in turn, a hundred calls each, so that whatever else the machine does hurts both.</summary>
internal static class FirstTokens
{
    private const int Turn = 100;

    public static async Task<(Times Provider, Times Product)> MeasureAsync(Uri provider, Uri product, string key, string model, int calls, CancellationToken cancellation)
    {
        using var direct = await RawConnection.OpenAsync(provider, cancellation);
        using var through = await RawConnection.OpenAsync(product, cancellation);
        var (alone, added) = (new Times([], [], []), new Times([], [], []));
        await TurnAsync(direct, provider, key, model, new Times([], [], []), cancellation); // Connected, and compiled.
        await TurnAsync(through, product, key, model, new Times([], [], []), cancellation);
        for (var turn = 0; turn < calls / Turn; turn++)
        {
            await TurnAsync(direct, provider, key, model, alone, cancellation);
            await TurnAsync(through, product, key, model, added, cancellation);
        }

        return (alone, added);
    }

    private static async Task TurnAsync(RawConnection connection, Uri address, string key, string model, Times times, CancellationToken cancellation)
    {
        var stream = RawConnection.Request(address, key, HeldStreams.Body(model));
        var plain = RawConnection.Request(address, key, HeldStreams.Body(model).Replace("\"stream\":true,", "", StringComparison.Ordinal));
        for (var call = 0; call < Turn; call++)
        {
            var streamed = Whole(await connection.CallAsync(stream, null, cancellation));
            times.FirstToken.Add(streamed.FirstByte.TotalMilliseconds);
            times.Stream.Add(streamed.Whole.TotalMilliseconds);
            times.Plain.Add(Whole(await connection.CallAsync(plain, null, cancellation)).Whole.TotalMilliseconds);
        }
    }

    private static Answered Whole(Answered answered) => answered.IsWhole ? answered : throw new InvalidOperationException($"A call was answered with {answered.Status}, and not whole: times of such calls say nothing.");
}
