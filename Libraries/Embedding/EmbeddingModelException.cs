namespace LlmMarketplace.Embedding;

/// <summary>The model's files are missing, damaged, or cannot be used here. The message says which and what to do.</summary>
public sealed class EmbeddingModelException : Exception
{
    /// <summary>Creates the exception with a message for the person who operates the process.</summary>
    public EmbeddingModelException(string message) : base(message)
    {
    }

    /// <summary>Creates the exception with a message and what caused it.</summary>
    public EmbeddingModelException(string message, Exception inner) : base(message, inner)
    {
    }
}
