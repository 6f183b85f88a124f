using System.Text.Json;
using System.Text.Json.Serialization;

namespace LlmMarketplace.Embedding.Tests;

/// <summary>models/all-MiniLM-L6-v2/golden.json: what the model said in another runtime.</summary>
internal sealed record Golden(IReadOnlyList<GoldenItem> Items, float[][] Cosine, float Tolerance)
{
    public static Golden Load() => JsonSerializer.Deserialize<Golden>(File.ReadAllText(Path.Combine(AppContext.BaseDirectory, "golden.json")), JsonSerializerOptions.Web)!;
}

internal sealed record GoldenItem(string Text, [property: JsonPropertyName("input_ids")] int[] InputIds, float[] Embedding);
