using Microsoft.Extensions.Options;

namespace LlmMarketplace.Embedding;

/// <summary>
/// Turns texts into vectors with all-MiniLM-L6-v2 (models/all-MiniLM-L6-v2/README.md). Safe to use from any number of threads;
/// all embedders of a process share one model in memory, and so many batches run at once as <see cref="EmbeddingOptions.Parallelism"/> allows.
/// </summary>
public sealed class SentenceEmbedder : IDisposable
{
    /// <summary>The length of every vector.</summary>
    public const int Dimensions = LoadedModel.Dimensions;

    /// <summary>The tokens of a text that are read, special tokens included; what follows is left out and the result says so.</summary>
    public const int MaximumTokens = WordPieces.MaximumTokens;

    /// <summary>The model's public name.</summary>
    public const string ModelName = "all-MiniLM-L6-v2";

    private readonly LoadedModel model;
    private readonly int batchTokens;
    private int disposed;

    /// <summary>Loads the model, or shares the one that this process has loaded.</summary>
    /// <exception cref="EmbeddingModelException">A file is missing or is not the one expected.</exception>
    public SentenceEmbedder(IOptions<EmbeddingOptions> options)
    {
        ArgumentNullException.ThrowIfNull(options);
        model = LoadedModel.Lease(options.Value);
        batchTokens = options.Value.BatchTokens;
    }

    /// <summary>Embeds texts, in the order given. Texts of like length share a batch, so little is spent on padding.</summary>
    /// <exception cref="OperationCanceledException">Cancelled; a batch under way is broken off.</exception>
    public async Task<IReadOnlyList<EmbeddingResult>> EmbedAsync(IReadOnlyList<string> texts, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(texts);
        ObjectDisposedException.ThrowIf(disposed != 0, this);
        using var lease = model.Again();

        // What follows computes: it leaves the caller's thread, even if nothing has to be waited for.
        await Task.CompletedTask.ConfigureAwait(ConfigureAwaitOptions.ForceYielding);
        var tokenized = new TokenizedText[texts.Count];
        for (var i = 0; i < texts.Count; i++)
        {
            cancellationToken.ThrowIfCancellationRequested();
            tokenized[i] = model.WordPieces.Tokenize(texts[i]);
        }

        var results = new EmbeddingResult[texts.Count];
        foreach (var batch in Batches(tokenized))
        {
            await model.Gate.WaitAsync(cancellationToken).ConfigureAwait(false);
            try
            {
                var vectors = model.Run(batch.Select(i => tokenized[i].Ids).ToArray(), cancellationToken);
                for (var row = 0; row < batch.Length; row++)
                {
                    var text = tokenized[batch[row]];
                    results[batch[row]] = new EmbeddingResult(vectors[row], text.Ids.Length, text.Truncated);
                }
            }
            finally
            {
                model.Gate.Release();
            }
        }

        return results;
    }

    /// <summary>Embeds one text.</summary>
    public async Task<EmbeddingResult> EmbedAsync(string text, CancellationToken cancellationToken = default) => (await EmbedAsync([text], cancellationToken).ConfigureAwait(false))[0];

    /// <summary>Whether the model reads all of <paramref name="text"/>: for callers that refuse rather than embed a part.</summary>
    public bool Fits(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        return !model.WordPieces.Tokenize(text).Truncated;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        if (Interlocked.Exchange(ref disposed, 1) == 0)
        {
            model.Dispose();
        }
    }

    /// <summary>Indexes into <paramref name="texts"/>, shortest first, cut where another row would take the padded batch over its limit.</summary>
    private IEnumerable<int[]> Batches(TokenizedText[] texts)
    {
        var order = Enumerable.Range(0, texts.Length).OrderBy(i => texts[i].Ids.Length).ToArray();
        for (var start = 0; start < order.Length;)
        {
            var end = start + 1;
            while (end < order.Length && (end - start + 1) * texts[order[end]].Ids.Length <= batchTokens)
            {
                end++;
            }

            yield return order[start..end];
            start = end;
        }
    }
}
