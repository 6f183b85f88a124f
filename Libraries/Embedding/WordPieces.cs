using Microsoft.ML.Tokenizers;

namespace LlmMarketplace.Embedding;

/// <summary>A text as the model reads it: ids between [CLS] and [SEP].</summary>
internal readonly record struct TokenizedText(int[] Ids, bool Truncated);

/// <summary>BERT uncased WordPiece with the settings that this model was trained with.</summary>
internal sealed class WordPieces
{
    /// <summary>The longest input that the model was trained to pool, special tokens included (sentence_bert_config.json).</summary>
    public const int MaximumTokens = 256;

    private const int Classification = 101;
    private const int Separator = 102;

    private readonly BertTokenizer tokenizer;

    public WordPieces(Stream vocabulary)
    {
        tokenizer = BertTokenizer.Create(vocabulary, new BertOptions
        {
            LowerCaseBeforeTokenization = true,
            RemoveNonSpacingMarks = true,
            IndividuallyTokenizeCjk = true,
        });
        if (!Tokenize("Ü").Ids.AsSpan().SequenceEqual([Classification, 1057, Separator]))
        {
            throw new EmbeddingModelException(
                "Accents cannot be taken off letters here, so texts would be misread: the process runs without Unicode data. Install ICU (libicu) and leave DOTNET_SYSTEM_GLOBALIZATION_INVARIANT unset.");
        }
    }

    public TokenizedText Tokenize(string text)
    {
        // One piece more than fits tells a text that was cut from one that fits exactly.
        var pieces = tokenizer.EncodeToIds(text, MaximumTokens - 1, addSpecialTokens: false, out _, out _);
        var kept = Math.Min(pieces.Count, MaximumTokens - 2);
        var ids = new int[kept + 2];
        ids[0] = Classification;
        for (var i = 0; i < kept; i++)
        {
            ids[i + 1] = pieces[i];
        }

        ids[^1] = Separator;
        return new TokenizedText(ids, pieces.Count > kept);
    }
}
