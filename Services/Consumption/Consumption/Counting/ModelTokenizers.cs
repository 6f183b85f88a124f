using System.Collections.Concurrent;
using Microsoft.ML.Tokenizers;

namespace LlmMarketplace.Consumption.Counting;

/// <summary>
/// The tokenizers of OpenAI's models, by the library's own table of names. Each is made when it is first asked for, and kept: o200k takes half a second and 42 MB. Names come from
/// listings, so that there are no more of them than versions.
/// </summary>
internal sealed class ModelTokenizers
{
    private readonly ConcurrentDictionary<string, Lazy<Task<Tokenizer?>>> known = new(StringComparer.Ordinal);

    /// <summary>The tokenizer of a provider's model; null: none is known.</summary>
    public Task<Tokenizer?> OfAsync(string model) => known.GetOrAdd(model, static name => new Lazy<Task<Tokenizer?>>(() => MakeAsync(name))).Value;

    private static async Task<Tokenizer?> MakeAsync(string model)
    {
        await Task.Yield(); // Who asks meanwhile waits without holding a thread.
        try
        {
            return TiktokenTokenizer.CreateForModel(model);
        }
        catch (Exception unknown) when (unknown is NotSupportedException or InvalidOperationException)
        {
            return null; // The table lacks the name, or has it with an older vocabulary that is not shipped. There is no other way to ask it.
        }
    }
}
