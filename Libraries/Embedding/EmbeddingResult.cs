namespace LlmMarketplace.Embedding;

/// <summary>What one text became.</summary>
/// <param name="Vector">The embedding, of Euclidean length 1, so that a dot product of two is their cosine.</param>
/// <param name="Tokens">Tokens that the model read, its two special tokens included: what a provider bills.</param>
/// <param name="Truncated">Whether the text was longer than the model reads and its end was left out.</param>
public sealed record EmbeddingResult(float[] Vector, int Tokens, bool Truncated);
