namespace LlmMarketplace.Embedded;

/// <summary>An embedded server cannot do what was asked. The message is one sentence for a person, and says what to do.</summary>
public sealed class EmbeddedServerException : Exception
{
    /// <summary>Without a message: only for tools that insist.</summary>
    public EmbeddedServerException()
    {
    }

    /// <summary>With what is wrong and what to do.</summary>
    public EmbeddedServerException(string message) : base(message)
    {
    }

    /// <summary>With what is wrong and what to do, and what caused it.</summary>
    public EmbeddedServerException(string message, Exception? innerException) : base(message, innerException)
    {
    }
}
